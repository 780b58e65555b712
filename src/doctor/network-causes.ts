import type { RankedCause } from "./causes.ts";

type Advice = Omit<RankedCause, "likelihood">;

export const clientCertificate: Advice = {
  name: "clientCertificate",
  what: "the server wants a client certificate, and has none from us or not one that it believes",
  remedy: 'See which authority it trusts for clients, and put such a certificate into the gateway\'s "upstream.tls".',
};

/** What may be wrong before MQTT is spoken, whatever the cloud: by the stable word of the failure, likeliest first. */
const advice: Readonly<Record<string, readonly Advice[]>> = {
  dns: [
    {
      name: "hostName",
      what: "the host name is wrong: no name server knows it",
      remedy: 'Compare "upstream.url" with what the cloud\'s console shows.',
    },
    {
      name: "resolver",
      what: "this machine cannot ask its name servers",
      remedy: "See /etc/resolv.conf, and whether the machine is on the network.",
    },
  ],
  refused: [
    {
      name: "portClosed",
      what: "nothing listens on this port of the host, or a firewall refuses it",
      remedy: 'See whether the port in "upstream.url" is the one for MQTT (1883; with TLS 8883) and the server runs.',
    },
  ],
  timeout: [
    {
      name: "firewall",
      what: "a firewall between here and the host drops what is sent to this port",
      remedy: "Open the port for outgoing connections from this machine.",
    },
    {
      name: "hostDown",
      what: "the host is not there or does not answer",
      remedy: 'See whether "upstream.url" names the right host, and whether it runs.',
    },
  ],
  unreachable: [
    {
      name: "route",
      what: "this machine has no way to that network",
      remedy: "See its network cable, its address, its default route and its VPN.",
    },
  ],
  reset: [
    {
      name: "middlebox",
      what: "something on the way, or the server, cuts the connection",
      remedy: "Ask who runs the firewall whether it lets MQTT through on this port.",
    },
  ],
  notTls: [
    {
      name: "notTls",
      what: "what answers there does not speak TLS",
      remedy: 'Use mqtt:// or the port with TLS (8883) in "upstream.url".',
    },
  ],
  tls: [
    {
      name: "tlsVersion",
      what: "the two sides find no version of TLS or no cipher that both have; TLS 1.2 is the least here",
      remedy: "Bring the server up to date.",
    },
    // At TLS 1.2 both end with "handshake failure".
    clientCertificate,
    {
      name: "middlebox",
      what: "something on the way cuts the TLS handshake",
      remedy: "Ask who runs the firewall whether it lets TLS through on this port.",
    },
  ],
};

/**
 * What may be wrong where no connection comes about: in general, and what the dialect knows of its cloud; the dialect's word
 * comes first where the address is its own.
 */
export function networkCauses(
  reason: string,
  { ofDialect = [], isAddressOfDialect = false }: DialectCauses = {},
): readonly RankedCause[] {
  const general = advice[reason] ?? [];
  const causes = isAddressOfDialect ? [...ofDialect, ...general] : [...general, ...ofDialect];
  return causes.map((cause, index) => ({ ...cause, likelihood: index === 0 ? "likely" : "possible" }));
}

export interface DialectCauses {
  readonly ofDialect?: readonly Advice[];
  readonly isAddressOfDialect?: boolean;
}
