// The digests of what the page is built from, and of what the build consists of. They are written into the build, so
// that a test can tell, without Node, whether the build that is checked in is that of the sources, and whether it is as
// it was built; tests/studio/sources.py computes the same.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const FOLDERS = ["public", "src"];
const FILES = ["buf.gen.yaml", "index.html", "package-lock.json", "package.json", "sources.mjs", "tsconfig.json", "vite.config.ts"];
const PROTO = "../../proto/impasto/v1/stylizer.proto";
const GENERATED = "src/gen/";

/** Returns SHA-256, in hex, over each file's path and content, in the order of their paths. */
export function digestOfSources(root) {
  const digest = createHash("sha256");
  const below = FOLDERS.flatMap((folder) => filesBelow(root, folder)).filter((path) => !path.startsWith(GENERATED));
  for (const path of [...FILES, ...below].sort()) {
    digest.update(`${path}\n`).update(readFileSync(join(root, path)));
  }
  return digest.update(meaningOf(readFileSync(join(root, PROTO), "utf8"))).digest("hex");
}

/** Returns SHA-256 of each file of a build, in the order of their paths, as sha256sum writes and checks them. */
export function digestsOfBuild(root) {
  const files = filesBelow(root, "").filter((path) => path !== "files.sha256").sort();
  return files.map((path) => `${createHash("sha256").update(readFileSync(join(root, path))).digest("hex")}  ${path}\n`).join("");
}

/** Returns a proto without its comments, which do not reach the page. */
function meaningOf(proto) {
  return proto.replace(/\/\/.*$/gm, "").split(/\s+/).filter(Boolean).join(" ");
}

function filesBelow(root, folder) {
  const entries = readdirSync(join(root, folder), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return files.map((file) => file.slice(root.length + 1).replaceAll("\\", "/"));
}
