import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { keepToken, queryOf, tokenWantedEvent } from "./api.ts";
import { DevicesView } from "./devices.tsx";
import { LedgerView } from "./ledger.tsx";
import { LinksView } from "./links.tsx";
import { PlaygroundView } from "./playground.tsx";
import { QuarantineView } from "./quarantine.tsx";
import { linkTo, useRoute, type ViewName, views } from "./route.ts";
import { ThemeChoice } from "./theme.tsx";
import { TokenForm } from "./token-form.tsx";
import { TraceView } from "./trace.tsx";
import { type Live, useLive } from "./use-live.ts";
import { Verdict, verdictOf } from "./verdict.tsx";
import { traceFilterOf, type ViewProps } from "./view.ts";

const titles: Readonly<Record<ViewName, string>> = {
  links: "Links",
  devices: "Devices",
  ledger: "Ledger",
  quarantine: "Quarantine",
  trace: "Trace",
  playground: "Playground",
};

/** The whole page: the verdict on top, and below it the view that the address names. */
export function App() {
  const route = useRoute();
  const [isPaused, setPaused] = useState(false);
  const [isTokenWanted, setTokenWanted] = useState(false);
  const [attempt, setAttempt] = useState(0);
  // Tracing costs the bridge something, so it is asked for only while it is looked at.
  const query = route.view === "trace" && !isPaused ? queryOf({ trace: 1, ...traceFilterOf(route) }) : "";
  const live = useLive(query, attempt);
  useEffect(() => {
    const want = () => setTokenWanted(true);
    addEventListener(tokenWantedEvent, want);
    return () => removeEventListener(tokenWantedEvent, want);
  }, []);
  const { status } = live;
  useEffect(() => {
    const mark = status === undefined || verdictOf(status).grade === "good" ? "" : "⚠ ";
    document.title = `${mark}${titles[route.view]} · dragoman`;
  }, [status, route.view]);

  if (isTokenWanted) {
    return (
      <Frame view={undefined} live={live}>
        <TokenForm
          onToken={(token) => {
            keepToken(token);
            setTokenWanted(false);
            setAttempt((times) => times + 1);
          }}
        />
      </Frame>
    );
  }
  return (
    <Frame view={route.view} live={live}>
      {status === undefined ? (
        <p class="quiet">{live.isConnected ? "Asking the bridge…" : "The bridge does not answer; trying again…"}</p>
      ) : (
        <View
          key={route.view}
          {...{ route, live, status }}
          trace={{ isPaused, onPause: setPaused, filter: traceFilterOf(route) }}
        />
      )}
    </Frame>
  );
}

function Frame(props: { view: ViewName | undefined; live: Live; children: ComponentChildren }) {
  const { view, live, children } = props;
  return (
    <>
      {/* Not a link: the address names the view. */}
      <button type="button" class="skip" onClick={() => document.getElementById("content")?.focus()}>
        Skip to content
      </button>
      <header class="masthead">
        <div class="brand">
          <h1>dragoman</h1>
          <ThemeChoice />
        </div>
        <Verdict live={live} />
        <nav aria-label="Views">
          {views.map((name) => (
            <a key={name} href={linkTo(name)} aria-current={name === view ? "page" : undefined}>
              {titles[name]}
              <Badge view={name} live={live} />
            </a>
          ))}
        </nav>
      </header>
      <main id="content" tabIndex={-1}>
        {children}
      </main>
    </>
  );
}

function Badge({ view, live: { status } }: { view: ViewName; live: Live }) {
  if (view !== "quarantine" || status === undefined) return null;
  const set = status.ledger.held + status.ledger.quarantined;
  if (set === 0) return null;
  return (
    <span class="badge warn">
      {set}
      <span class="unseen"> held or quarantined</span>
    </span>
  );
}

function View(props: ViewProps) {
  switch (props.route.view) {
    case "links":
      return <LinksView {...props} />;
    case "devices":
      return <DevicesView {...props} />;
    case "ledger":
      return <LedgerView {...props} />;
    case "quarantine":
      return <QuarantineView {...props} />;
    case "trace":
      return <TraceView {...props} />;
    case "playground":
      return <PlaygroundView {...props} />;
  }
}
