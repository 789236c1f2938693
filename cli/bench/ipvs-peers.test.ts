import { expect, test } from '@jest/globals';
import { ipvsChange, ipvsTexts } from './ipvs-peers.ts';

const amount = { services: 2, endpoints: 2 };

test('what the tools read for all services', () => {
  expect(ipvsTexts(amount)).toEqual({
    servers: `-A -t 10.0.0.1:80 -s rr
-a -t 10.0.0.1:80 -r 10.128.0.1:8080 -m -w 1
-a -t 10.0.0.1:80 -r 10.128.0.2:8080 -m -w 1
-A -t 10.0.0.2:80 -s rr
-a -t 10.0.0.2:80 -r 10.128.0.3:8080 -m -w 1
-a -t 10.0.0.2:80 -r 10.128.0.4:8080 -m -w 1
`,
    addresses: `link add kube-ipvs0 type dummy
address add 10.0.0.1/32 dev kube-ipvs0
address add 10.0.0.2/32 dev kube-ipvs0
`,
    sets: `create KUBE-CLUSTER-IP hash:ip,port maxelem 65536
add KUBE-CLUSTER-IP 10.0.0.1,tcp:80
add KUBE-CLUSTER-IP 10.0.0.2,tcp:80
`,
  });
});

test('an endpoint that moves, and comes home', () => {
  expect(ipvsChange(1, { amount, moved: true })).toBe(
    '-a -t 10.0.0.2:80 -r 10.248.0.1:8080 -m -w 1\n-d -t 10.0.0.2:80 -r 10.128.0.4:8080\n',
  );
  expect(ipvsChange(1, { amount, moved: false })).toBe(
    '-a -t 10.0.0.2:80 -r 10.128.0.4:8080 -m -w 1\n-d -t 10.0.0.2:80 -r 10.248.0.1:8080\n',
  );
});
