import { Board } from "./board.js";
import { serverOf } from "./server.js";

const server = serverOf(new Board(), process.env.VERSION ?? "unknown");
server.listen(Number(process.env.PORT ?? 8000), () => console.log("listening", server.address()));
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections(); // Node.js 18 would wait for them
  });
}
