import { expect, test } from '@jest/globals';
import { attachmentKey } from './attachment.ts';
import { invalidAttachments } from './collect-attachments.ts';

const of = (containerId: string, ifname = 'eth0', network = 'cbr0') => ({ network, containerId, ifname });

test.each([
  ['nothing valid', [], ['cbr0 a eth0', 'cbr0 a net1', 'cbr0 b eth0', 'cbr0 old ']],
  ['one interface of two', [of('a'), of('old')], ['cbr0 a net1', 'cbr0 b eth0']],
  ['all', [of('a'), of('a', 'net1'), of('b'), of('old')], []],
])('%s', (_what, valid, expected) => {
  const found = invalidAttachments({
    network: 'cbr0',
    // One of another network is none of its business.
    recorded: [of('a'), of('a', 'net1'), of('x', 'eth0', 'other')],
    owners: [of('a'), of('b'), { containerId: 'old', ifname: '' }],
    valid,
  });
  expect(found.map(attachmentKey)).toEqual(expected);
});
