import { expect, test } from '@jest/globals';
import { nearestName } from './nearest-name.ts';

const known = ['logLevel', 'logFormat', 'mtu', 'leaseTtl', 'publicAddress', 'podCidr'];

test.each([
  ['logLevle', 'logLevel'],
  ['loglevel', 'logLevel'],
  ['log-level', 'logLevel'],
  ['LOG_FORMAT', 'logFormat'],
  ['leaseTTL', 'leaseTtl'],
  ['publicAdress', 'publicAddress'],
  ['mut', 'mtu'],
  ['podCIDRs', 'podCidr'],
  ['tokenFile', undefined],
  ['abc', undefined],
  ['', undefined],
])('%j was meant to be %s', (name, meant) => {
  expect(nearestName(name, known)).toBe(meant);
});
