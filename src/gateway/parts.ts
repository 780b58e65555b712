import { Arrivals } from "./arrivals.ts";
import { Attachments } from "./attachments.ts";
import { AttributeRequests } from "./attribute-requests.ts";
import { CollectedConfiguration } from "./collected-configuration.ts";
import { type Commands, CorrelatedCommands } from "./commands.ts";
import { ComparedConfiguration, type Configuration } from "./configuration.ts";
import { Core, type RuleOptions } from "./core.ts";
import { Departures } from "./departures.ts";
import { DeviceNotices } from "./device-notices.ts";
import { Dispatch } from "./dispatch.ts";
import { DownlinkBound } from "./downlink-bound.ts";
import { Elimination } from "./elimination.ts";
import { Flights } from "./flights.ts";
import { FoldedCommands } from "./folded-commands.ts";
import { KeepAlive } from "./keep-alive.ts";
import { KeptConfiguration } from "./kept-configuration.ts";
import { Landings } from "./landings.ts";
import type { Lane } from "./lane.ts";
import { Lanes } from "./lanes.ts";
import { LimitsInquiry } from "./limits-inquiry.ts";
import { LocalAdmission } from "./local-admission.ts";
import { LocalAttachments } from "./local-attachments.ts";
import { Outbox } from "./outbox.ts";
import { OwnAttributes } from "./own-attributes.ts";
import { OwnQuestions } from "./own-questions.ts";
import { PassedQuestions } from "./passed-questions.ts";
import { ReportedState } from "./reported-state.ts";
import { UpstreamErrors } from "./upstream-errors.ts";

/**
 * What one gateway's rules are made of. Each part is handed this and takes from it what it needs at the moment it needs it.
 *
 * There may be thousands of gateways that say nothing: what such a one does without is made when it is first wanted, and
 * hears nothing before that.
 */
export class Parts {
  readonly core: Core;
  readonly local: LocalAttachments;
  readonly lanes: Lanes;
  readonly flights: Flights;
  readonly departures: Departures;
  readonly dispatch: Dispatch;
  readonly outbox: Outbox;
  readonly attachments: Attachments;
  readonly elimination: Elimination;
  #arrivals: Arrivals | undefined;
  #landings: Landings | undefined;
  #state: ReportedState | undefined;
  #commands: Commands | undefined;
  #configuration: Configuration | undefined;
  #questions: OwnQuestions | undefined;
  #requests: AttributeRequests | undefined;
  #passed: PassedQuestions | undefined;
  #ownAttributes: OwnAttributes | undefined;
  #notices: DeviceNotices | undefined;
  #errors: UpstreamErrors | undefined;
  #limits: LimitsInquiry | undefined;
  #keepAlive: KeepAlive | undefined;
  #admission: LocalAdmission | undefined;
  #downlink: DownlinkBound | undefined;

  constructor(options: RuleOptions) {
    this.core = new Core(options);
    this.local = new LocalAttachments(this.core);
    this.core.local = this.local;
    this.lanes = new Lanes(this.core);
    this.flights = new Flights(this.core);
    this.departures = new Departures(this);
    this.dispatch = new Dispatch(this);
    this.outbox = new Outbox(this);
    this.attachments = new Attachments(this);
    this.elimination = new Elimination(this);
  }

  get arrivals(): Arrivals {
    this.#arrivals ??= new Arrivals(this);
    return this.#arrivals;
  }

  get landings(): Landings {
    this.#landings ??= new Landings(this);
    return this.#landings;
  }

  get state(): ReportedState {
    this.#state ??= new ReportedState(this);
    return this.#state;
  }

  get commands(): Commands {
    this.#commands ??= this.core.adapt.commands === "fold" ? new FoldedCommands(this) : new CorrelatedCommands(this);
    return this.#commands;
  }

  get configuration(): Configuration {
    this.#configuration ??= this.#configurationFor(this.core.adapt.config);
    return this.#configuration;
  }

  get questions(): OwnQuestions {
    this.#questions ??= new OwnQuestions(this);
    return this.#questions;
  }

  get requests(): AttributeRequests {
    this.#requests ??= new AttributeRequests(this);
    return this.#requests;
  }

  get passed(): PassedQuestions {
    this.#passed ??= new PassedQuestions(this);
    return this.#passed;
  }

  get ownAttributes(): OwnAttributes {
    this.#ownAttributes ??= new OwnAttributes(this.core);
    return this.#ownAttributes;
  }

  get notices(): DeviceNotices {
    this.#notices ??= new DeviceNotices(this);
    return this.#notices;
  }

  get errors(): UpstreamErrors {
    this.#errors ??= new UpstreamErrors(this);
    return this.#errors;
  }

  get limits(): LimitsInquiry {
    this.#limits ??= new LimitsInquiry(this);
    return this.#limits;
  }

  get keepAlive(): KeepAlive {
    this.#keepAlive ??= new KeepAlive(this);
    return this.#keepAlive;
  }

  get admission(): LocalAdmission {
    this.#admission ??= new LocalAdmission(this);
    return this.#admission;
  }

  get downlink(): DownlinkBound {
    this.#downlink ??= new DownlinkBound(this);
    return this.#downlink;
  }

  /** Commands that nobody has answered yet. */
  get openCommands(): number {
    return this.#commands?.open ?? 0;
  }

  /** A device is within reach of the upstream. */
  attached(lane: Lane): void {
    this.configuration.attached(lane);
    this.keepAlive.attached(lane);
  }

  /** A device is out of reach: what is open with it has come to an end. */
  detached(lane: Lane): void {
    this.#commands?.detached(lane);
    this.#questions?.giveUp(lane);
    if (this.core.adapt.config === "keep") this.#configuration?.forget(lane);
  }

  /** A document has come for the device. */
  hasDocument(lane: Lane): void {
    this.#requests?.hasDocument(lane);
  }

  /** The local gateway is there, or hears more: it is given what it has not taken yet. */
  offerConfiguration(): void {
    if (this.#configuration === undefined) return;
    this.#configuration.offer(this.lanes.own);
    for (const lane of this.lanes.all()) this.#configuration.offer(lane);
  }

  localConnectionEnded(connection: number): void {
    if (connection === this.core.connection) this.local.disconnected();
    this.#requests?.connectionEnded(connection);
    this.#passed?.connectionEnded(connection);
  }

  upstreamClosed(): void {
    this.core.isUpstreamOpen = false;
    this.#errors?.closed();
    this.#configuration?.upstreamClosed(this.lanes.own);
    for (const lane of this.lanes.all()) this.#configuration?.upstreamClosed(lane);
    this.attachments.closed();
    this.#questions?.giveUp();
    this.#limits?.closed();
  }

  #configurationFor(how: Core["adapt"]["config"]): Configuration {
    switch (how) {
      case "collect":
        return new CollectedConfiguration(this);
      case "keep":
        return new KeptConfiguration(this.core);
      case "difference":
      case "pass":
        return new ComparedConfiguration(this);
    }
  }
}
