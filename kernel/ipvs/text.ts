// Virtual and real servers, and the steps of a plan, in the operator's language: as `ipvsadm` takes them and `ipvsadm -Sn` prints them.
import type { Transport } from '../../net/transport.ts';
import {
  type IpvsStep,
  type RealServer,
  type RealServerId,
  realServerText,
  type VirtualServer,
  type VirtualServerId,
} from './objects.ts';

const options: Readonly<Record<Transport, string>> = { tcp: '-t', udp: '-u', sctp: '--sctp-service' };

/** "-t 10.96.0.1:80", "--sctp-service [fd00::1]:99" */
export function serverIdWords(server: VirtualServerId): string {
  return `${options[server.protocol]} ${realServerText(server)}`;
}

/** "-t 10.96.0.1:80 -s mh -p 60 -b mh-port" */
export function serverWords(server: VirtualServer): string {
  const { scheduler, persistentSeconds, hashesPort } = server;
  const persistence = persistentSeconds === undefined ? '' : ` -p ${persistentSeconds}`;
  return `${serverIdWords(server)} -s ${scheduler}${persistence}${hashesPort ? ` -b ${portFlag(scheduler)}` : ''}`;
}

/** ipvsadm has names for the flags of the two schedulers that have some. */
function portFlag(scheduler: string): string {
  return scheduler === 'sh' || scheduler === 'mh' ? `${scheduler}-port` : 'flag-2';
}

function realIdWords(server: VirtualServerId, real: RealServerId): string {
  return `${serverIdWords(server)} -r ${realServerText(real)}`;
}

/** "-t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 1" */
export function realWords(server: VirtualServerId, real: RealServer): string {
  return `${realIdWords(server, real)} -m -w ${real.weight}`;
}

/** What `ipvsadm -Sn` prints of a virtual server, and `ipvsadm -R` reads. */
export function serverLines(server: VirtualServer, reals: readonly RealServer[]): readonly string[] {
  return [`-A ${serverWords(server)}`, ...reals.map((real) => `-a ${realWords(server, real)}`)];
}

/** The step as one command of `ipvsadm` that does the same. */
export function ipvsStepText(step: IpvsStep): string {
  return `ipvsadm ${verbs[step.kind]} ${stepObject(step)}`;
}

const verbs: Readonly<Record<IpvsStep['kind'], string>> = {
  'server-add': '-A',
  'server-change': '-E',
  'server-delete': '-D',
  'real-add': '-a',
  'real-change': '-e',
  'real-delete': '-d',
};

/** What the step acts on: the command without its verb. */
export function stepObject(step: IpvsStep): string {
  switch (step.kind) {
    case 'server-add':
    case 'server-change':
      return serverWords(step.server);
    case 'server-delete':
      return serverIdWords(step.server);
    case 'real-add':
    case 'real-change':
      return realWords(step.server, step.real);
    case 'real-delete':
      return realIdWords(step.server, step.real);
    default:
      return step satisfies never;
  }
}
