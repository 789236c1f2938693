// The sets of one namespace over nfnetlink: reads them, executes plans. What to execute is decided in plan.ts; how sets look on the
// wire, in wire.ts.
import { isNotFound, KernelError } from '../kernel-error.ts';
import { DecodeError } from '../netlink/bytes.ts';
import { type NetlinkRequest, NLM_F_EXCL } from '../netlink/message.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '../netlink/netlink-socket.ts';
import type { Netns } from '../netns.ts';
import {
  IPSET_CMD_ADD,
  IPSET_CMD_CREATE,
  IPSET_CMD_DEL,
  IPSET_CMD_DESTROY,
  IPSET_CMD_LIST,
  IPSET_CMD_PROTOCOL,
  IPSET_CMD_SWAP,
  IPSET_CMD_TYPE,
} from './attributes.ts';
import { stepFault } from './entry-fault.ts';
import type { Ipset, IpsetAccess, IpsetEntry, IpsetHeader, IpsetStep, IpsetStepResult } from './objects.ts';
import { explained, stepRefusal } from './refusal.ts';
import {
  EntryReader,
  newestProtocol,
  readHeader,
  readProtocol,
  readRevision,
  writeChange,
  writeCreate,
  writeDestroy,
  writeHeadersQuery,
  writeListQuery,
  writeProtocolQuery,
  writeSwap,
  writeTypeQuery,
} from './wire.ts';

/** Entries of one message: of the longest they take 41,000 bytes, and one attribute carries them all. */
const entriesAtOnce = 500;

/** Opens the sets of `netns`, or of the process's own namespace. */
export function openIpset(options: { readonly netns?: Netns | undefined } = {}): IpsetAccess {
  return new KernelIpset(options.netns);
}

type EntryStep = Extract<IpsetStep, { entry: IpsetEntry }>;

/** Entries of one message, with the places of their steps. */
interface Group {
  readonly kind: EntryStep['kind'];
  readonly set: Ipset;
  readonly places: number[];
  readonly entries: IpsetEntry[];
}

class KernelIpset implements IpsetAccess {
  readonly #netns: Netns | undefined;
  readonly #socket: NetlinkSocket;
  #protocol: number | undefined;
  readonly #revisions = new Map<string, number>();

  constructor(netns: Netns | undefined) {
    this.#netns = netns;
    this.#socket = new NetlinkSocket({ protocol: NETLINK_NETFILTER, netns });
  }

  headers(): readonly IpsetHeader[] {
    const protocol = this.#speak();
    const request: NetlinkRequest = {
      type: IPSET_CMD_LIST,
      flags: 0,
      operation: 'list sets',
      object: '',
      body: (out) => writeHeadersQuery(out, protocol),
    };
    return this.#socket.dump(request, ({ body }) => readHeader(body));
  }

  entries(name: string): readonly IpsetEntry[] | undefined {
    const reader = new EntryReader();
    try {
      return this.#socket.dump(this.#listRequest(name), ({ body }) => reader.read(body)).flat();
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw explained(error);
    }
  }

  /** On a socket of its own: one that is not read to its end is good for nothing but closing. */
  *entrySlices(name: string): Generator<readonly IpsetEntry[], void, void> {
    const request = this.#listRequest(name);
    using socket = new NetlinkSocket({ protocol: NETLINK_NETFILTER, netns: this.#netns });
    const reader = new EntryReader();
    try {
      for (const messages of socket.dumpSteps(request)) {
        const slice = messages.flatMap(({ body }) => reader.read(body));
        if (slice.length > 0) yield slice;
      }
    } catch (error) {
      if (!isNotFound(error)) throw explained(error);
    }
  }

  #listRequest(name: string): NetlinkRequest {
    const protocol = this.#speak();
    return {
      type: IPSET_CMD_LIST,
      flags: 0,
      operation: 'list set',
      object: name,
      body: (out) => writeListQuery(out, name, protocol),
    };
  }

  /** Steps of one kind go out together: those behind them rely on what became of them. */
  apply(steps: readonly IpsetStep[]): readonly IpsetStepResult[] {
    if (steps.length === 0) return [];
    const protocol = this.#speak();
    const errors = steps.map(stepFault);
    for (let first = 0; first < steps.length; ) {
      const kind = steps[first]?.kind;
      let end = first + 1;
      while (end < steps.length && steps[end]?.kind === kind) end++;
      const places = Array.from({ length: end - first }, (_, i) => first + i).filter(
        (i) => errors[i] === undefined,
      );
      if (kind === 'entry-add' || kind === 'entry-delete') this.#change({ steps, places, errors }, protocol);
      else this.#execute({ steps, places, errors }, protocol);
      first = end;
    }
    return steps.map((step, i) => ({ step, error: errors[i] }));
  }

  #execute({ steps, places, errors }: Run, protocol: number): void {
    const requests: NetlinkRequest[] = [];
    const asked: number[] = [];
    for (const place of places) {
      const step = steps[place];
      if (step === undefined) continue;
      try {
        requests.push(this.#request(step, protocol));
        asked.push(place);
      } catch (error) {
        if (!(error instanceof KernelError || error instanceof DecodeError)) throw error;
        errors[place] = error;
      }
    }
    for (const [i, error] of this.#socket.execute(requests).entries()) {
      const place = asked[i];
      const step = place === undefined ? undefined : steps[place];
      if (error === undefined || step === undefined || place === undefined) continue;
      if (step.kind === 'set-destroy' && isNotFound(error)) continue;
      errors[place] = stepRefusal(step, error);
    }
  }

  #request(step: IpsetStep, protocol: number): NetlinkRequest {
    const about = { operation: step.kind, object: '' };
    switch (step.kind) {
      case 'set-create': {
        const revision = this.#revision(step, protocol);
        return {
          ...about,
          type: IPSET_CMD_CREATE,
          // Without NLM_F_EXCL one that is there and the same is success.
          flags: 0,
          body: (out) => writeCreate(out, step.set, { protocol, revision }),
        };
      }
      case 'set-destroy':
        return {
          ...about,
          type: IPSET_CMD_DESTROY,
          flags: NLM_F_EXCL,
          body: (out) => writeDestroy(out, step.name, protocol),
        };
      case 'set-swap':
        return {
          ...about,
          type: IPSET_CMD_SWAP,
          flags: NLM_F_EXCL,
          body: (out) => writeSwap(out, step, protocol),
        };
      case 'entry-add':
      case 'entry-delete':
        return changeRequest({ ...step, entries: [step.entry] }, protocol);
      default:
        return step satisfies never;
    }
  }

  /** The kernel does not say which entry of a message it refuses, nor does it go on: then each is asked for by itself. */
  #change({ steps, places, errors }: Run, protocol: number): void {
    const groups = groupsOf(steps, places);
    const refused = this.#socket
      .execute(groups.map((group) => changeRequest(group, protocol)))
      .flatMap((error, i) => (error === undefined ? [] : (groups[i]?.places ?? [])));
    const singly = refused.flatMap((place) => {
      const step = steps[place];
      return step === undefined ? [] : [{ place, step, request: this.#request(step, protocol) }];
    });
    const answers = this.#socket.execute(singly.map(({ request }) => request));
    for (const [i, { place, step }] of singly.entries()) {
      const error = answers[i];
      // Nothing is in a set that is not there.
      if (error === undefined || (step.kind === 'entry-delete' && isNotFound(error))) continue;
      errors[place] = stepRefusal(step, error);
    }
  }

  /** The version of ipset's protocol to use. */
  #speak(): number {
    if (this.#protocol !== undefined) return this.#protocol;
    const request: NetlinkRequest = {
      type: IPSET_CMD_PROTOCOL,
      flags: 0,
      operation: 'ask for ipset',
      object: '',
      body: writeProtocolQuery,
    };
    const [spoken] = this.#socket.query(request, ({ body }) => readProtocol(body));
    if (spoken === undefined || spoken.oldest > newestProtocol)
      throw new DecodeError(
        `Cannot speak to the kernel's ipset: it wants protocol ${spoken?.oldest}, we know ${newestProtocol}`,
      );
    this.#protocol = Math.min(spoken.newest, newestProtocol);
    return this.#protocol;
  }

  #revision(step: Extract<IpsetStep, { kind: 'set-create' }>, protocol: number): number {
    const { type, family } = step.set;
    const key = `${type} ${family}`;
    const known = this.#revisions.get(key);
    if (known !== undefined) return known;
    const request: NetlinkRequest = {
      type: IPSET_CMD_TYPE,
      flags: 0,
      operation: 'ask for type',
      object: type,
      body: (out) => writeTypeQuery(out, step.set, protocol),
    };
    try {
      const [revision] = this.#socket.query(request, ({ body }) => readRevision(body, type));
      if (revision === undefined) throw new DecodeError(`Cannot ask for type "${type}": there was no answer`);
      this.#revisions.set(key, revision);
      return revision;
    } catch (error) {
      throw error instanceof KernelError ? stepRefusal(step, error) : error;
    }
  }

  close(): void {
    this.#socket.close();
  }
}

/** Some of the steps, all of one kind; what becomes of them goes into `errors`. */
interface Run {
  readonly steps: readonly IpsetStep[];
  readonly places: readonly number[];
  readonly errors: (Error | undefined)[];
}

function groupsOf(steps: readonly IpsetStep[], places: readonly number[]): readonly Group[] {
  const groups: Group[] = [];
  let last: Group | undefined;
  for (const place of places) {
    const step = steps[place];
    if (step?.kind !== 'entry-add' && step?.kind !== 'entry-delete') continue;
    if (last?.set.name !== step.set.name || last.entries.length === entriesAtOnce) {
      last = { kind: step.kind, set: step.set, places: [], entries: [] };
      groups.push(last);
    }
    last.places.push(place);
    last.entries.push(step.entry);
  }
  return groups;
}

function changeRequest(
  { kind, set, entries }: Pick<Group, 'kind' | 'set'> & { readonly entries: readonly IpsetEntry[] },
  protocol: number,
): NetlinkRequest {
  return {
    type: kind === 'entry-add' ? IPSET_CMD_ADD : IPSET_CMD_DEL,
    // Without NLM_F_EXCL an addition of what is there is success, and a removal of what is not.
    flags: 0,
    operation: kind,
    object: set.name,
    body: (out) => writeChange(out, { set, entries }, protocol),
  };
}
