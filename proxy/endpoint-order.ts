// The order of endpoints: that of their texts "10.244.0.5:8080" and "[fd00::5]:8080", as in kube-proxy, without making the texts.
import type { Endpoint } from './service-port.ts';

type Place = Pick<Endpoint, 'address' | 'port'>;

/** Negative, 0 or positive. Both of one family; 0: the same address and port. */
export function compareEndpoints(a: Place, b: Place): number {
  const [left, right] = [a.address.toString(), b.address.toString()];
  if (left === right) return a.port === b.port ? 0 : String(a.port) < String(b.port) ? -1 : 1;
  const order = left < right ? -1 : 1;
  const [short, long] = order < 0 ? [left, right] : [right, left];
  // Where one begins with the other, what follows the shorter decides: the end of its address in the text.
  const isBefore =
    !long.startsWith(short) || (a.address.family === 4 ? ':' : ']') < long.charAt(short.length);
  return isBefore ? order : -order;
}
