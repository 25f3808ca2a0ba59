import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, type Plugin } from "vite";
import { digestOfSources, digestsOfBuild } from "./sources.mjs";

const target = process.env.IMPASTO_STUDIO ?? "http://127.0.0.1:8503"; // which answers the page of `npm run dev`
const studio = { target, changeOrigin: false }; // else Host and Origin differ, and the server takes it for another site's page

/** Writes down which sources the build is of, and what it consists of. */
function digests(): Plugin {
  return {
    name: "digests",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: "sources.sha256", source: `${digestOfSources(import.meta.dirname)}\n` });
    },
    writeBundle({ dir = "" }) {
      writeFileSync(join(dir, "files.sha256"), digestsOfBuild(dir));
    },
  };
}

export default defineConfig({
  base: "./",
  plugins: [digests()],
  build: {
    outDir: "../../server/impasto_server/studio/static",
    emptyOutDir: true,
    assetsInlineLimit: 0, // data: is not allowed as a source of styles
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  server: {
    proxy: { "/studio.json": studio, "/impasto.v1.": studio, "/google.longrunning.": studio },
  },
});
