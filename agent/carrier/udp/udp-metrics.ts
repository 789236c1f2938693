// What the udp backend counts, in Prometheus' terms: nothing where it is not used.
import type { Metrics } from '../../../runtime/metrics.ts';
import { type UdpCounters, type UdpDirection, udpTraffic } from './udp-counters.ts';

export function addUdpMetrics(registry: Metrics, counters: UdpCounters): void {
  const perDirection = (name: string, help: string, of: (direction: UdpDirection) => number): void => {
    registry.counter({
      name,
      help,
      labels: ['direction'],
      collect(counter) {
        counter.reset();
        const traffic = udpTraffic(counters);
        if (traffic === undefined) return;
        counter.inc({ direction: 'sent' }, of(traffic.sent));
        counter.inc({ direction: 'received' }, of(traffic.received));
      },
    });
  };
  perDirection(
    'udp_packets_total',
    'Packets of pods that backend udp carried to and from peers',
    ({ packets }) => packets,
  );
  perDirection('udp_bytes_total', 'Bytes of these packets', ({ bytes }) => bytes);
  perDirection('udp_batches_total', 'System calls that carried some of them', ({ batches }) => batches);
  registry.counter({
    name: 'udp_dropped_total',
    help: 'Packets that backend udp did not carry, by reason',
    labels: ['direction', 'reason'],
    collect(counter) {
      counter.reset();
      const traffic = udpTraffic(counters);
      if (traffic === undefined) return;
      for (const direction of ['sent', 'received'] as const) {
        for (const [reason, count] of Object.entries(traffic[direction].dropped)) {
          counter.inc({ direction, reason }, count);
        }
      }
    },
  });
}
