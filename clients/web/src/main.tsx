import { render } from "preact";
import { App } from "./app";
import { takeDropped } from "./dropping";
import "./look/base.css";
import "./look/controls.css";
import "./look/welcome.css";
import "./look/studio.css";
import "./look/gallery.css";
import "./look/dialogs.css";
import { keepPainting } from "./painting/easel";
import { start } from "./start";

const root = document.getElementById("app");
if (root) {
  render(<App />, root);
  keepPainting();
  takeDropped();
  void start();
}
