import { useEffect, useState } from "preact/hooks";

export const views = ["links", "devices", "ledger", "quarantine", "trace", "playground"] as const;
export type ViewName = (typeof views)[number];

/** What the part of the address after `#` names: a view, and what to show in it, as in `#devices?gateway=gw-01`. */
export interface Route {
  readonly view: ViewName;
  readonly query: URLSearchParams;
}

/** Follows the address bar, so that every view can be linked to and the back button works. */
export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const follow = () => setHash(location.hash);
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return parseRoute(hash);
}

/** The address of a view; members that are empty are left out. */
export function linkTo(view: ViewName, members: Readonly<Record<string, string | undefined>> = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(members)) if (value !== undefined && value !== "") query.set(name, value);
  return `#${view}${query.size === 0 ? "" : `?${query}`}`;
}

/** Changes the address without a new entry in the history: for filters as they are typed. */
export function replaceRoute(view: ViewName, members: Readonly<Record<string, string | undefined>>): void {
  history.replaceState(null, "", linkTo(view, members));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

function parseRoute(hash: string): Route {
  const [name, query] = hash.replace(/^#/, "").split(/\?(.*)/s);
  return { view: views.find((view) => view === name) ?? "links", query: new URLSearchParams(query ?? "") };
}
