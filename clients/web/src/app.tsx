import type { ComponentChildren } from "preact";
import { dragging } from "./dropping";
import { Alert } from "./parts/Alert";
import { Header } from "./parts/Header";
import { Studio } from "./parts/Studio";
import { TokenForm } from "./parts/TokenForm";
import { Welcome } from "./parts/Welcome";
import { hands, photo, said, tab, wantsToken } from "./state";
import { start, waitsFor } from "./start";

export function App() {
  return (
    <>
      <Header />
      <Body />
      <Alert />
      <p class="unseen" role="status">
        {said.value}
      </p>
      {wantsToken.value && <TokenForm onToken={() => void start()} />}
      {dragging.value && (
        <div class="drop" aria-hidden="true">
          {tab.value === "own" ? "Drop your painting" : "Drop your photo"}
        </div>
      )}
    </>
  );
}

function Body() {
  if (photo.value) return <Studio photo={photo.value} />;
  if (waitsFor.value === "server") {
    return (
      <Away title="The server does not answer">
        It may have been stopped, or you may be offline. This page tries again by itself; who runs the server finds more
        in its log.
      </Away>
    );
  }
  if (waitsFor.value === "warming") {
    return <Away title="The server is warming up">It will be ready in a moment. This page goes on by itself.</Away>;
  }
  if (waitsFor.value === "token" && !wantsToken.value) {
    return (
      <Away title="This server wants a token">
        Who runs it gives you one.
        <button type="button" class="button primary" onClick={() => (wantsToken.value = { wrong: false })}>
          Enter it
        </button>
      </Away>
    );
  }
  return hands.value.length || wantsToken.value ? <Welcome /> : <main class="away" aria-busy="true" aria-label="Loading" />;
}

function Away({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <main class="away">
      <div role="alert">
        <h1>{title}</h1>
        <p>{children}</p>
      </div>
    </main>
  );
}
