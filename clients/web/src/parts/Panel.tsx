import { useEffect, useRef } from "preact/hooks";
import { isOver, job } from "../job/job";
import { facts, tab, type Tab } from "../state";
import { Adjust } from "./Adjust";
import { BrushTools } from "./BrushTools";
import { Gallery } from "./Gallery";
import { Own } from "./Own";
import { Takeaway } from "./Takeaway";

const TABS: readonly (readonly [Tab, string])[] = [
  ["styles", "Styles"],
  ["adjust", "Adjust"],
  ["brush", "Brush"],
  ["own", "Your own"],
];

const PARTS: Record<Tab, () => preact.JSX.Element> = {
  styles: Gallery,
  adjust: Adjust,
  brush: BrushTools,
  own: Own,
};

/** Everything that is done with a photo. */
export function Panel() {
  const Part = PARTS[tab.value];
  const part = useRef<HTMLDivElement>(null);
  useEffect(() => toTop(part.current), [tab.value]);
  return (
    <section class="panel" aria-label="Tools">
      <TabList />
      <div ref={part} id="tabpanel" class="tabpanel" role="tabpanel" aria-labelledby={`tab-${tab.value}`} tabIndex={-1}>
        <Part />
      </div>
      <Takeaway />
    </section>
  );
}

/** Shows a tab from its beginning, where the page is scrolled and where the tab itself is. */
function toTop(part: HTMLElement | null): void {
  if (part) part.scrollTop = 0;
  const easel = document.querySelector(".easel");
  const above = easel?.parentElement?.offsetTop ?? 0;
  if (scrollY > above) scrollTo({ top: above });
}

function TabList() {
  const list = useRef<HTMLDivElement>(null);
  const tabs = TABS.filter(([name]) => name !== "own" || facts.value?.jobs);
  const press = (event: KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const at = tabs.findIndex(([name]) => name === tab.value);
    const [next] = tabs[(at + by + tabs.length) % tabs.length] ?? ["styles"];
    tab.value = next;
    list.current?.querySelector<HTMLElement>(`#tab-${next}`)?.focus();
  };
  return (
    <div ref={list} class="tabs" role="tablist" aria-label="Tools" onKeyDown={press}>
      {tabs.map(([name, words]) => (
        <button
          key={name}
          type="button"
          id={`tab-${name}`}
          role="tab"
          aria-selected={tab.value === name}
          aria-controls="tabpanel"
          tabIndex={tab.value === name ? 0 : -1}
          onClick={() => (tab.value = name)}
        >
          {words}
          {name === "own" && job.value && !isOver(job.value.phase) && <span class="dot" title="being painted" />}
        </button>
      ))}
    </div>
  );
}
