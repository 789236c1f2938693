// Objects and steps of traffic control in the operator's language: as `tc` of iproute2 takes them.
import type { Qdisc, Redirect } from './objects.ts';
import type { TcStep } from './step.ts';

/** "dev eth0 root handle 1: tbf rate 125000bps burst 16384b limit 19509b" (bps: bytes a second) */
export function qdiscText(qdisc: Qdisc): string {
  switch (qdisc.kind) {
    case 'tbf':
      return `dev ${qdisc.link} root handle 1: tbf rate ${qdisc.rate}bps burst ${qdisc.burst}b limit ${qdisc.limit}b`;
    case 'ingress':
      return `dev ${qdisc.link} ingress`;
    case 'other':
      return `dev ${qdisc.link} ${qdisc.place} ${qdisc.type}`;
    default:
      return qdisc satisfies never;
  }
}

/** "dev veth0 parent ffff: protocol all pref 1 u32 match u32 0 0 action mirred egress redirect dev ifb0" */
export function redirectText({ link, to }: Redirect): string {
  return `${filterText(link)} u32 match u32 0 0 action mirred egress redirect dev ${to}`;
}

function filterText(link: string): string {
  return `dev ${link} parent ffff: protocol all pref 1`;
}

/** The step as one command of `tc` that does the same. */
export function tcStepText(step: TcStep): string {
  switch (step.kind) {
    case 'qdisc-add':
      return `tc qdisc add ${qdiscText(step.qdisc)}`;
    case 'qdisc-change':
      return `tc qdisc change ${qdiscText(step.qdisc)}`;
    case 'qdisc-delete':
      return `tc qdisc delete dev ${step.qdisc.link} ${step.qdisc.kind === 'tbf' ? 'root' : 'ingress'}`;
    case 'redirect-add':
      return `tc filter add ${redirectText(step.redirect)}`;
    case 'redirect-delete':
      return `tc filter delete ${filterText(step.redirect.link)}`;
    default:
      return step satisfies never;
  }
}
