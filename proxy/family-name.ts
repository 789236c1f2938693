// The names that Kubernetes gives the two families (v1.IPFamily), for metrics and bodies that others read.
import type { Family } from '../net/address.ts';

export function familyName(family: Family): 'IPv4' | 'IPv6' {
  return family === 4 ? 'IPv4' : 'IPv6';
}
