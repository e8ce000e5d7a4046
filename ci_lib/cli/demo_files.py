"""The small project that the demo deploys: a service that answers with its version, and one that cannot."""

from pathlib import Path

_APP = '''\
import http.server, json, os


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"status": "ok", "version": os.environ["DEPLOY_VERSION"]}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
with open(os.environ["PORT_FILE"], "w") as file:
    file.write(str(server.server_address[1]))
server.serve_forever()
'''

_BROKEN = 'raise SystemExit("v2 forgot to bring its settings")\n'

_READY = '''\
import json, os, urllib.request

port = open(os.environ["DEPLOY_ENVIRONMENT"] + ".port").read()
answer = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5))
assert answer["version"] == os.environ["DEPLOY_VERSION"], answer
print("version", answer["version"])
'''

_CONFIG = '''\
version: 1
records: {store: directory, path: records}
hosts:
  here: {local: true}
environments:
  staging: {tier: staging, owner: team-hello, hosts: [here]}
  production: {tier: production, owner: operations, hosts: [here], requires: {environment: staging}}
stacks:
  hello:
    target: process
    process:
      services:
        web: {command: [python3, app.py], env: {PORT_FILE: "FOLDER/{environment}.port"}}
    images:
      hello: {repository: builds/hello, services: [web]}
    checks:
      - {name: serves its version, type: script, command: [python3, ready.py]}
'''


def write_demo(folder: Path) -> None:
    """Write the project into an empty folder; the system chooses the ports, so nothing is in their way."""
    for version, text in {"v1": _APP, "v2": _BROKEN}.items():
        build = folder / "builds" / "hello" / version
        build.mkdir(parents=True)
        (build / "app.py").write_text(text)
    (folder / "ready.py").write_text(_READY)
    (folder / "deploy.yml").write_text(_CONFIG.replace("FOLDER", str(folder)))
