// The suite of the Kubernetes stores against a real API server.
import { describe, test } from '@jest/globals';
import { kubernetesSuite } from './kubernetes-suite.ts';
import { whyNoApiServer } from './real-api-server.ts';
import { realCluster } from './real-cluster.ts';

const why = whyNoApiServer();

if (why === undefined) describe('against kube-apiserver', () => kubernetesSuite(realCluster));
else test.skip(`against kube-apiserver: ${why}`, () => undefined);
