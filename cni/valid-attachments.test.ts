import { expect, test } from '@jest/globals';
import { readValidAttachments } from './valid-attachments.ts';

const own = 'cni.dev/valid-attachments';

test.each([
  [{}, undefined],
  [{ [own]: null }, []],
  [{ [own]: [] }, []],
  [{ [own]: [{ containerID: 'a', ifname: 'eth0' }] }, [{ containerId: 'a', ifname: 'eth0' }]],
  [{ [own]: [{ containerid: 'a', IfName: 'eth0', more: 1 }] }, [{ containerId: 'a', ifname: 'eth0' }]],
  [{ 'cni.dev/attachments': [{ containerID: 'b', ifname: 'x' }] }, [{ containerId: 'b', ifname: 'x' }]],
])('%j keeps %j', (config, expected) => {
  expect(readValidAttachments(config)).toEqual(expected);
});

test.each([{ [own]: 'all' }, { [own]: [{}] }, { [own]: [null] }, { [own]: {} }])(
  '%j is refused',
  (config) => {
    expect(() => readValidAttachments(config)).toThrow(expect.objectContaining({ code: 6 }));
  },
);
