// The suite of the Kubernetes stores against a real API server.
import { describe, test } from '@jest/globals';
import { kubernetesSuite } from './kubernetes-suite.ts';
import { realCluster, whyNoApiServer } from './real-api-server.ts';

const why = whyNoApiServer();

if (why === undefined) describe('against kube-apiserver', () => kubernetesSuite(realCluster));
else test.skip(`against kube-apiserver: ${why}`, () => undefined);
