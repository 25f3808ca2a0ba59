import { defineConfig, type Plugin } from "vite";
import { digestOfSources } from "./sources.mjs";

const studio = process.env.IMPASTO_STUDIO ?? "http://127.0.0.1:8503"; // which answers the page of `npm run dev`

/** Writes down which sources the build is of. */
function sourcesDigest(): Plugin {
  return {
    name: "sources-digest",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: "sources.sha256", source: `${digestOfSources(import.meta.dirname)}\n` });
    },
  };
}

export default defineConfig({
  base: "./",
  plugins: [sourcesDigest()],
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
