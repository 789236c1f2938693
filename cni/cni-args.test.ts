import { expect, test } from '@jest/globals';
import { readCniArgs } from './cni-args.ts';

const kubernetes =
  'IgnoreUnknown=1;K8S_POD_NAMESPACE=kube-system;K8S_POD_NAME=coredns-5d78c9869d-abcde;K8S_POD_INFRA_CONTAINER_ID=f00;K8S_POD_UID=1-2';

test.each([
  ['', { ips: [], pod: undefined }],
  [kubernetes, { ips: [], pod: { namespace: 'kube-system', name: 'coredns-5d78c9869d-abcde' } }],
  ['IP=10.88.0.9;MAC=02:00:00:00:00:09', { ips: ['10.88.0.9'], mac: '02:00:00:00:00:09' }],
  ['IP=10.88.0.9/16,fd00::9', { ips: ['10.88.0.9', 'fd00::9'] }],
  ['IP=;MAC=;GATEWAY=x', { ips: [] }],
  ['IgnoreUnknown=TRUE;X=a=b;Y=', { ips: [] }],
  ['IgnoreUnknown=0;IP=10.0.0.1;IP=10.0.0.2', { ips: ['10.0.0.2'] }],
  ['K8S_POD_NAMESPACE=a;K8S_POD_NAME=a.b-c.9', { ips: [], pod: { namespace: 'a', name: 'a.b-c.9' } }],
  // Names that no pod of Kubernetes has.
  ['K8S_POD_NAMESPACE=a;K8S_POD_NAME=', { ips: [] }],
  ['K8S_POD_NAMESPACE=a.b;K8S_POD_NAME=c', { ips: [] }],
  ['K8S_POD_NAMESPACE=a;K8S_POD_NAME=../c', { ips: [] }],
  ['K8S_POD_NAMESPACE=A;K8S_POD_NAME=c', { ips: [] }],
  [`K8S_POD_NAMESPACE=a;K8S_POD_NAME=${'c'.repeat(254)}`, { ips: [] }],
  [`K8S_POD_NAMESPACE=${'a'.repeat(64)};K8S_POD_NAME=c`, { ips: [] }],
])('%s', (text, expected) => {
  expect(JSON.parse(JSON.stringify(readCniArgs(text)))).toEqual(JSON.parse(JSON.stringify(expected)));
});

test.each([
  ['x', 'invalid pair "x": want KEY=VALUE'],
  ['IP=10.0.0.1;', 'invalid pair ""'],
  [';', 'invalid pair ""'],
  ['X=1', '"X" is unknown, and IgnoreUnknown is not set'],
  ['ip=10.0.0.1', '"ip" is unknown'],
  ['IgnoreUnknown=false;X=1', '"X" is unknown'],
  ['IgnoreUnknown=maybe', '"IgnoreUnknown" is "maybe": want 1, true, 0 or false'],
  ['IgnoreUnknown=1;IP=x', '"IP" is "x": want an IPv4 or IPv6 address'],
  ['IP=10.0.0.1,', '"IP" is ""'],
  ['IP=224.0.0.1', '"IP" is "224.0.0.1"'],
  ['MAC=x', '"MAC" is "x": want a unicast MAC address'],
  ['MAC=01:00:5e:00:00:01', '"MAC" is "01:00:5e:00:00:01"'],
  ['MAC=02:00:00:00:00:09\n', '"MAC" is "02:00:00:00:00:09\\n"'],
])('%j is refused: %s', (text, message) => {
  expect(() => readCniArgs(text)).toThrow(
    expect.objectContaining({ code: 4, message: expect.stringContaining(`Cannot use CNI_ARGS: ${message}`) }),
  );
});
