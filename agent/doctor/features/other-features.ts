// Connection tracking, traffic control and SCTP, each tried in an empty namespace.
import { flushesByFilter, openConntrack } from '../../../kernel/conntrack/driver.ts';
import { canOpenSctp } from '../../../kernel/sctp-socket.ts';
import { openTcDriver } from '../../../kernel/tc/driver.ts';
import type { TcStep } from '../../../kernel/tc/step.ts';
import { IpAddress } from '../../../net/address.ts';
import type { Feature, ProbeRoom } from './feature.ts';
import { addLinks } from './link-features.ts';

const bandwidth = { kind: 'some', name: 'pods with bandwidth limits' } as const;
/** UDP, to an address for documentation. */
const anyFlow = {
  protocol: 17,
  original: { destination: IpAddress.parse('192.0.2.1'), destinationPort: 53 },
};

export const otherFeatures: readonly Feature[] = [
  {
    ...{ name: 'conntrack', title: 'connection tracking', group: 'Other' },
    uses: [{ kind: 'node' }],
    modules: ['nf_conntrack_netlink', 'nf_conntrack'],
    probe({ netns }) {
      const conntrack = openConntrack({ netns });
      try {
        conntrack.list(anyFlow);
      } finally {
        conntrack.close();
      }
    },
  },
  {
    ...{ name: 'conntrack-flush', title: 'deletion of flows by filter', group: 'Other' },
    uses: [{ kind: 'some', name: 'speed with many flows' }],
    remedy: 'nothing has to be done: flows are deleted one by one',
    probe({ netns }) {
      if (!flushesByFilter(anyFlow, { netns }))
        throw new Error('Cannot delete flows by a filter: the kernel takes no filter');
    },
  },
  {
    ...{
      name: 'tc-tbf',
      title: 'token buckets (tbf)',
      group: 'Other',
      uses: [bandwidth],
      modules: ['sch_tbf'],
    },
    probe: (room) =>
      tryTc(room, [
        {
          kind: 'qdisc-add',
          qdisc: { kind: 'tbf', link: 'probe', rate: 1_000_000, burst: 20_000, limit: 40_000 },
        },
      ]),
  },
  {
    ...{ name: 'tc-redirect', title: 'redirection of what comes in', group: 'Other', uses: [bandwidth] },
    modules: ['sch_ingress', 'cls_u32', 'act_mirred'],
    probe: (room) =>
      tryTc(room, [
        { kind: 'qdisc-add', qdisc: { kind: 'ingress', link: 'probe' } },
        { kind: 'redirect-add', redirect: { link: 'probe', to: 'other' } },
      ]),
  },
  {
    ...{ name: 'sctp', title: 'SCTP sockets', group: 'Other', modules: ['sctp'] },
    uses: [{ kind: 'some', name: 'pods that speak SCTP' }],
    probe: ({ netns }) => canOpenSctp(netns),
  },
];

function tryTc(room: ProbeRoom, steps: readonly TcStep[]): void {
  addLinks(room, [{ name: 'probe', detail: { kind: 'veth', peer: { name: 'other' } } }]);
  const tc = openTcDriver({ netns: room.netns });
  try {
    const failed = tc.apply(steps).find(({ error }) => error !== undefined);
    if (failed?.error !== undefined) throw failed.error;
  } finally {
    tc.close();
  }
}
