import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isInterfaceName } from '../../net/names.ts';
import { attachmentFileName, attachmentKey, hostLinkName, hostMac, podMac } from './attachment.ts';

const attachment = { network: 'cbr0', containerId: 'abc', ifname: 'eth0' };

// These must never change: a DEL after an upgrade finds what an ADD before it made.
test('names and addresses of one attachment', () => {
  expect(hostLinkName(attachment)).toBe('veth5ac3ce7f74a');
  expect(hostMac(attachment).toString()).toBe('32:a3:e1:5a:6d:7f');
  expect(podMac(attachment).toString()).toBe('b2:7a:56:a0:1f:15');
  expect(attachmentFileName(attachment)).toBe('945d26d3874dbc2efac49e7b02c2721d');
});

test('different attachments have different ones, all of them fit for the kernel', () => {
  const identifier = fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,20}$/);
  const any = fc.record({ network: identifier, containerId: identifier, ifname: identifier });
  fc.assert(
    fc.property(any, any, (one, other) => {
      const name = hostLinkName(one);
      expect(name).toMatch(/^veth[0-9a-f]{11}$/);
      expect(isInterfaceName(name)).toBe(true);
      for (const mac of [hostMac(one), podMac(one)]) {
        expect(mac.isMulticast).toBe(false);
        expect((mac.bytes[0] ?? 0) & 2).toBe(2);
      }
      expect(hostMac(one).equals(podMac(one))).toBe(false);
      const same = attachmentKey(one) === attachmentKey(other);
      expect(hostLinkName(one) === hostLinkName(other)).toBe(same);
      expect(attachmentFileName(one) === attachmentFileName(other)).toBe(same);
    }),
  );
});
