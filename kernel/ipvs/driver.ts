// The IPVS of one namespace over generic netlink: reads servers, executes plans. What to execute is decided in plan.ts; how servers look
// on the wire, in wire.ts.
import { constants } from 'node:os';
import type { Family } from '../../net/address.ts';
import { KernelError } from '../kernel-error.ts';
import { findGenericFamily, NETLINK_GENERIC } from '../netlink/generic-family.ts';
import type { NetlinkRequest } from '../netlink/message.ts';
import { NetlinkSocket } from '../netlink/netlink-socket.ts';
import type { Netns } from '../netns.ts';
import {
  type IpvsAccess,
  type IpvsStep,
  type IpvsStepResult,
  type IpvsTimeouts,
  type RealServerState,
  type VirtualServerId,
  type VirtualServerState,
  virtualServerText,
} from './objects.ts';
import { stepOutcome } from './step-outcome.ts';
import { stepRequest } from './step-request.ts';
import {
  ipvsCommands,
  ipvsFamilyName,
  readReal,
  readServer,
  readTimeouts,
  serverIdAttributes,
  timeoutAttributes,
  writeIpvs,
} from './wire.ts';

/**
 * Opens the IPVS of `netns`, or of the process's own namespace. Throws KernelError: isNotSupported when the kernel has none and cannot load
 * it. From then on the sysctls net.ipv4.vs.* are there.
 */
export function openIpvs(options: { readonly netns?: Netns | undefined } = {}): IpvsAccess {
  const open = () => new NetlinkSocket({ protocol: NETLINK_GENERIC, netns: options.netns });
  const socket = open();
  try {
    const family = findGenericFamily(socket, ipvsFamilyName);
    if (family !== undefined) return new KernelIpvs({ socket, open, type: family.id });
  } catch (error) {
    socket.close();
    throw error;
  }
  socket.close();
  throw new KernelError({
    operation: 'open IPVS',
    object: '',
    errno: constants.errno.EOPNOTSUPP,
    kernelMessage: 'this kernel has no IPVS, or its module is not loaded: try "modprobe ip_vs"',
  });
}

interface Opened {
  readonly socket: NetlinkSocket;
  /** Another socket of the same namespace. */
  readonly open: () => NetlinkSocket;
  /** Of the family's messages. */
  readonly type: number;
}

class KernelIpvs implements IpvsAccess {
  readonly #socket: NetlinkSocket;
  readonly #open: () => NetlinkSocket;
  readonly #type: number;

  constructor({ socket, open, type }: Opened) {
    this.#socket = socket;
    this.#open = open;
    this.#type = type;
  }

  servers(family: Family): readonly VirtualServerState[] {
    return this.#socket.dump(this.#listRequest(family), ({ body }) => ofFamily(readServer(body), family));
  }

  /** A dump holds its socket until its end: so on one of its own. */
  *serverSlices(family: Family): Generator<readonly VirtualServerState[], void, void> {
    using socket = this.#open();
    for (const messages of socket.dumpSteps(this.#listRequest(family)))
      yield messages.flatMap(({ body }) => ofFamily(readServer(body), family) ?? []);
  }

  /** The kernel lists both families at once. */
  #listRequest(family: Family): NetlinkRequest {
    return {
      type: this.#type,
      flags: 0,
      operation: 'list virtual servers',
      object: `IPv${family}`,
      body: (out) => writeIpvs(out, ipvsCommands.getService),
    };
  }

  server(id: VirtualServerId): VirtualServerState | undefined {
    const request: NetlinkRequest = {
      type: this.#type,
      flags: 0,
      operation: 'read virtual server',
      object: virtualServerText(id),
      body: (out) => writeIpvs(out, ipvsCommands.getService, serverIdAttributes(id)),
    };
    try {
      return this.#socket.query(request, ({ body }) => readServer(body))[0];
    } catch (error) {
      // Not isNotFound: the family itself may be gone (ENOENT), when its module was unloaded.
      if (error instanceof KernelError && error.code === 'ESRCH') return undefined;
      throw error;
    }
  }

  realServers(id: VirtualServerId): readonly RealServerState[] {
    const request: NetlinkRequest = {
      type: this.#type,
      flags: 0,
      operation: 'list real servers',
      object: virtualServerText(id),
      body: (out) => writeIpvs(out, ipvsCommands.getDestination, serverIdAttributes(id)),
    };
    const found = this.#socket.dump(request, ({ body }) => readReal(body, id.address.family));
    // Of a virtual server that is not there the kernel lists nothing, and says no more.
    if (found.length === 0 && this.server(id) === undefined) {
      const { operation, object } = request;
      const { ESRCH: errno } = constants.errno;
      throw new KernelError({ operation, object, errno, kernelMessage: 'there is no such virtual server' });
    }
    return found;
  }

  apply(steps: readonly IpvsStep[]): readonly IpvsStepResult[] {
    const errors = this.#socket.execute(steps.map((step) => this.#request(step)));
    return steps.map((step, i) => {
      const error = errors[i];
      return { step, error: error && stepOutcome(step, error, this) };
    });
  }

  #request(step: IpvsStep): NetlinkRequest {
    const asked = stepRequest(step);
    return {
      type: this.#type,
      flags: 0,
      operation: asked.operation,
      get object() {
        return asked.object;
      },
      body: (out) => writeIpvs(out, asked.command, asked.attributes()),
    };
  }

  timeouts(): IpvsTimeouts {
    const request = this.#configRequest('read timeouts');
    const [found] = this.#socket.query(
      { ...request, body: (out) => writeIpvs(out, ipvsCommands.getConfig) },
      ({ body }) => readTimeouts(body),
    );
    if (found === undefined)
      throw new TypeError('Cannot read timeouts of IPVS: the kernel answered without them');
    return found;
  }

  setTimeouts(timeouts: IpvsTimeouts): void {
    const request = this.#configRequest('set timeouts');
    const body: NetlinkRequest['body'] = (out) =>
      writeIpvs(out, ipvsCommands.setConfig, timeoutAttributes(timeouts));
    const [error] = this.#socket.execute([{ ...request, body }]);
    if (error !== undefined) throw error;
  }

  #configRequest(operation: string): Omit<NetlinkRequest, 'body'> {
    return { type: this.#type, flags: 0, operation, object: 'IPVS' };
  }

  close(): void {
    this.#socket.close();
  }
}

function ofFamily(server: VirtualServerState | undefined, family: Family): VirtualServerState | undefined {
  return server?.address.family === family ? server : undefined;
}
