const fs = require("node:fs");
const path = require("node:path");
const core = require("@actions/core");
const { DefaultArtifactClient } = require("@actions/artifact");

const hidden = (name) => name.split(path.sep).some((part) => part.startsWith("."));

function filesOf(root, withHidden) {
  if (!fs.existsSync(root)) return [];
  if (fs.statSync(root).isFile()) return [root];
  return fs
    .readdirSync(root, { recursive: true })
    .filter((name) => withHidden || !hidden(name))
    .map((name) => path.join(root, name))
    .filter((file) => fs.statSync(file).isFile());
}

async function main() {
  const roots = core.getMultilineInput("path", { required: true }).map((root) => path.resolve(root));
  const files = roots.flatMap((root) => filesOf(root, core.getBooleanInput("include-hidden-files")));
  if (files.length === 0) {
    const report = { error: core.setFailed, ignore: core.info, warn: core.warning }[core.getInput("if-no-files-found")];
    return report(`No files were found with the provided path: ${roots.join(", ")}`);
  }
  // One folder is uploaded with names relative to it; several paths relative to the folder they share.
  const oneFolder = roots.length === 1 && fs.statSync(roots[0]).isDirectory();
  const top = oneFolder ? roots[0] : roots.map((root) => path.dirname(root)).reduce(shared);
  const retentionDays = Number(core.getInput("retention-days")) || undefined;
  const { id } = await new DefaultArtifactClient().uploadArtifact(core.getInput("name"), files, top, { retentionDays });
  core.setOutput("artifact-id", id);
}

function shared(one, other) {
  while (path.relative(one, other).startsWith("..")) one = path.dirname(one);
  return one;
}

main().catch((error) => core.setFailed(error.message));
