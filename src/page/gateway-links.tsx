import type { ComponentChildren } from "preact";
import type { GatewayReport, LocalStatus, UpstreamStatus } from "../message/status.ts";
import { ago, count, dateAndTime, duration } from "./format.ts";
import { linkTo } from "./route.ts";

const protocols: Readonly<Record<number, string>> = { 3: "MQTT 3.1", 4: "MQTT 3.1.1", 5: "MQTT 5" };
/** A token this close to its end should have been renewed. */
const lateTokenMs = 60_000;

/** One gateway: its path in a line, and when unfolded both sides with all that is known of them. */
export function GatewayLinks(props: { gateway: GatewayReport; nowMs: number; isOpen: boolean }) {
  const { gateway, nowMs, isOpen } = props;
  const { id, ready, local, upstream, ledger } = gateway;
  return (
    <details class={`panel gateway ${ready ? "" : "bad"}`} open={isOpen}>
      <summary>
        <h3>{id}</h3>
        <span class={`badge ${ready ? "good" : "bad"}`}>{ready ? "ready" : "not ready"}</span>
        <span class="path" aria-hidden="true">
          gateway <Wire isWhole={local.connected} /> dragoman <Wire isWhole={upstream.state === "open"} /> cloud
        </span>
        {!ready && <span class="bad-text">{whyNotReady(gateway)}</span>}
        <span class="figures">
          {count(ledger.pending)} pending · {count(ledger.held)} held · {count(ledger.quarantined)} quarantined
        </span>
      </summary>
      <div class="sides">
        <LocalSide local={local} nowMs={nowMs} />
        <UpstreamSide upstream={upstream} nowMs={nowMs} />
        <Facts title="Through it">
          <Fact name="Devices">{devicesInWords(gateway)}</Fact>
          <Fact name="In flight">{count(gateway.inFlight)} unacknowledged</Fact>
          <Fact name="Commands">{count(gateway.openCommands)} open</Fact>
          <Fact name="Look closer">
            <a href={linkTo("devices", { gateway: id })}>devices</a>,{" "}
            <a href={linkTo("quarantine", { gateway: id })}>quarantine</a>,{" "}
            <a href={linkTo("trace", { gateway: id })}>trace</a>
          </Fact>
        </Facts>
      </div>
    </details>
  );
}

function LocalSide({ local, nowMs }: { local: LocalStatus; nowMs: number }) {
  return (
    <Facts title="Local side">
      <Fact name="Gateway">
        {local.connected ? "connected" : <strong class="bad-text">away</strong>}
        {local.sinceMs !== undefined && (
          <time title={dateAndTime(local.sinceMs)}> for {duration(nowMs - local.sinceMs)}</time>
        )}
      </Fact>
      {local.protocol !== undefined && (
        <Fact name="Protocol">{protocols[local.protocol] ?? `level ${local.protocol}`}</Fact>
      )}
    </Facts>
  );
}

function UpstreamSide({ upstream, nowMs }: { upstream: UpstreamStatus; nowMs: number }) {
  const { state, reason, detail, lastProvenMs, tokenExpiresMs, gapMs, clock } = upstream;
  const closes = Object.entries(upstream.closes).sort(([, a], [, b]) => b - a);
  return (
    <Facts title="Upstream side">
      <Fact name="Connection">{state === "open" ? "open" : <strong class="bad-text">{state}</strong>}</Fact>
      {state !== "open" && reason !== undefined && (
        <Fact name="Because">
          <code>{reason}</code>
          {detail !== undefined && <>: {detail}</>}
        </Fact>
      )}
      <Fact name="Last proven">
        {lastProvenMs === undefined ? (
          "never since the start"
        ) : (
          <time title={dateAndTime(lastProvenMs)}>{ago(lastProvenMs, nowMs)}</time>
        )}
      </Fact>
      {tokenExpiresMs !== undefined && (
        <Fact name="Token">
          <TokenExpiry {...{ tokenExpiresMs, nowMs }} />
        </Fact>
      )}
      {clock !== undefined && (
        <Fact name="Clock">
          <strong class="bad-text">{clock}</strong>
        </Fact>
      )}
      {gapMs !== undefined && <Fact name="Last gap">{gapMs < 1000 ? `${Math.round(gapMs)} ms` : duration(gapMs)}</Fact>}
      {closes.length > 0 && (
        <Fact name="Closed">
          {closes.map(([why, times], index) => (
            <span key={why}>
              {index > 0 && ", "}
              {count(times)} × <code>{why}</code>
            </span>
          ))}
        </Fact>
      )}
    </Facts>
  );
}

function TokenExpiry({ tokenExpiresMs, nowMs }: { tokenExpiresMs: number; nowMs: number }) {
  const leftMs = tokenExpiresMs - nowMs;
  if (leftMs <= 0) return <strong class="bad-text">expired {ago(tokenExpiresMs, nowMs)}</strong>;
  const text = <time title={dateAndTime(tokenExpiresMs)}>expires in {duration(leftMs)}</time>;
  return leftMs < lateTokenMs ? <span class="warn-text">{text}</span> : text;
}

function Wire({ isWhole }: { isWhole: boolean }) {
  return <span class={isWhole ? "good-text" : "bad-text"}>{isWhole ? "━━" : "╳"}</span>;
}

function Facts({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <div>
      <h4>{title}</h4>
      <dl>{children}</dl>
    </div>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function devicesInWords({ devices, deviceCounts = {} }: GatewayReport): string {
  const states = new Map<string, number>(Object.entries(deviceCounts));
  if (states.size === 0) for (const { state } of devices) states.set(state, (states.get(state) ?? 0) + 1);
  if (states.size === 0) return "none seen yet";
  return [...states].map(([state, devicesIn]) => `${count(devicesIn)} ${state}`).join(", ");
}

function whyNotReady({ reason, upstream }: GatewayReport): string {
  const why = reason ?? upstream.reason ?? `the connection is ${upstream.state}`;
  return upstream.detail === undefined ? why : `${why}: ${upstream.detail}`;
}
