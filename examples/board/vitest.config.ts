import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    coverage: {
      include: ["src/**"],
      exclude: ["src/main.ts"], // the integration test's
      reporter: ["text", "cobertura"],
      reportsDirectory: ".deploy-actions/reports/coverage",
    },
  },
});
