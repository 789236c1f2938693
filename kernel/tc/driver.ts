// Traffic control of one namespace over rtnetlink: reads what is on given links, executes plans. What to execute is decided in
// plan.ts; how objects look on the wire, in wire.ts.
import { isNotFound, KernelError } from '../kernel-error.ts';
import { ByteWriter } from '../netlink/bytes.ts';
import { type NetlinkRequest, NLM_F_CREATE, NLM_F_EXCL } from '../netlink/message.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../netlink/netlink-socket.ts';
import type { Netns } from '../netns.ts';
import { linkRequest } from '../route/requests.ts';
import type { LinkIndexes, LinkNames } from '../route/rtnetlink.ts';
import { readLinkName } from '../route/wire-link.ts';
import { type Qdisc, type QdiscPlace, type Redirect, type TcState, tcState } from './objects.ts';
import type { TcDriver, TcStep, TcStepResult } from './step.ts';
import { qdiscText, redirectText } from './text.ts';
import {
  readQdisc,
  readRedirect,
  writeFilterDump,
  writeQdisc,
  writeQdiscDelete,
  writeQdiscQuery,
  writeRedirect,
  writeRedirectDelete,
} from './wire.ts';

const RTM_NEWQDISC = 36;
const RTM_DELQDISC = 37;
const RTM_GETQDISC = 38;
const RTM_NEWTFILTER = 44;
const RTM_DELTFILTER = 45;
const RTM_GETTFILTER = 46;

/** Kernels before 6.8 answer RTM_GETQDISC only to who asks for an echo. */
const NLM_F_ECHO = 0x8;

/** Opens the traffic control of `netns`, or of the process's own namespace. */
export function openTcDriver(options: { readonly netns?: Netns | undefined } = {}): TcDriver {
  return new KernelTcDriver(new NetlinkSocket({ protocol: NETLINK_ROUTE, netns: options.netns }));
}

interface TcRequest extends Omit<NetlinkRequest, 'body'> {
  write(out: ByteWriter, links: LinkIndexes): void;
}

/** Numbers of links are asked for at each use: somebody may make a link anew. */
class KernelTcDriver implements TcDriver, LinkIndexes, LinkNames {
  readonly #socket: NetlinkSocket;

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  read(links: readonly string[]): TcState {
    const qdiscs = links.flatMap((link) => [...this.#qdisc(link, 'root'), ...this.#qdisc(link, 'ingress')]);
    const hooked = qdiscs.flatMap(({ kind, link }) => (kind === 'ingress' ? [link] : []));
    return tcState({ qdiscs, redirects: hooked.flatMap((link) => this.#redirects(link)) });
  }

  #qdisc(link: string, place: QdiscPlace): readonly Qdisc[] {
    const request: TcRequest = {
      type: RTM_GETQDISC,
      flags: NLM_F_ECHO,
      operation: 'read qdisc',
      object: `dev ${link} ${place}`,
      write: (out, links) => writeQdiscQuery(out, { link, place }, links),
    };
    return unlessMissing(() => this.#socket.query(this.#ready(request), ({ body }) => readQdisc(body, link)));
  }

  #redirects(link: string): readonly Redirect[] {
    const request: TcRequest = {
      type: RTM_GETTFILTER,
      flags: 0,
      operation: 'read filters',
      object: `dev ${link} ingress`,
      write: (out, links) => writeFilterDump(out, link, links),
    };
    // Names are asked for when the dump has ended: the socket does one thing at a time.
    const bodies = unlessMissing(() => this.#socket.dump(this.#ready(request), ({ body }) => body));
    return bodies.flatMap((body) => readRedirect(body, { link, names: this }) ?? []);
  }

  apply(steps: readonly TcStep[]): readonly TcStepResult[] {
    return steps.map((step) => {
      const error = this.#execute(step);
      const isSo = error === undefined || (step.kind.endsWith('-delete') && isNotFound(error));
      return isSo ? { step } : { step, error };
    });
  }

  #execute(step: TcStep): Error | undefined {
    const request = stepRequest(step);
    try {
      return this.#socket.execute([this.#ready(request)])[0];
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      // Looking up a link of the step failed: that is the cause, the step is what could not be done.
      const { operation, object } = request;
      const { errno, message: kernelMessage } = error;
      return new KernelError({ operation, object, errno, kernelMessage, cause: error });
    }
  }

  /** Encodes beforehand: that asks for the numbers of links, over the same socket. */
  #ready({ write, ...request }: TcRequest): NetlinkRequest {
    const out = new ByteWriter(256);
    write(out, this);
    return { ...request, body: (message) => message.raw(out.bytes()) };
  }

  /** Throws KernelError ENODEV when there is no such link. */
  indexOf(name: string): number {
    const [index] = this.#socket.query(linkRequest({ name }), ({ body }) => readLinkName(body)?.index);
    if (index === undefined)
      throw new TypeError(`Cannot find link "${name}": the kernel answered without it`);
    return index;
  }

  nameOf(index: number): string | undefined {
    return unlessMissing(() =>
      this.#socket.query(linkRequest({ index }), ({ body }) => readLinkName(body)?.name),
    )[0];
  }

  close(): void {
    this.#socket.close();
  }
}

function unlessMissing<T>(action: () => readonly T[]): readonly T[] {
  try {
    return action();
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

function stepRequest(step: TcStep): TcRequest {
  switch (step.kind) {
    case 'qdisc-add':
    case 'qdisc-change':
      return {
        type: RTM_NEWQDISC,
        flags: step.kind === 'qdisc-add' ? NLM_F_CREATE | NLM_F_EXCL : 0,
        operation: step.kind === 'qdisc-add' ? 'add qdisc' : 'change qdisc',
        object: qdiscText(step.qdisc),
        write: (out, links) => writeQdisc(out, step.qdisc, links),
      };
    case 'qdisc-delete':
      return {
        type: RTM_DELQDISC,
        flags: 0,
        operation: 'delete qdisc',
        object: qdiscText(step.qdisc),
        write: (out, links) => writeQdiscDelete(out, step.qdisc, links),
      };
    case 'redirect-add':
      return {
        type: RTM_NEWTFILTER,
        flags: NLM_F_CREATE | NLM_F_EXCL,
        operation: 'add filter',
        object: redirectText(step.redirect),
        write: (out, links) => writeRedirect(out, step.redirect, links),
      };
    case 'redirect-delete':
      return {
        type: RTM_DELTFILTER,
        flags: 0,
        operation: 'delete filter',
        object: redirectText(step.redirect),
        write: (out, links) => writeRedirectDelete(out, step.redirect, links),
      };
    default:
      return step satisfies never;
  }
}
