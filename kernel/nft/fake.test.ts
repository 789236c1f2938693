import { nftDriverSuite } from '../../test/nft/driver-suite.ts';
import { openFakeNftDriver } from './fake.ts';

nftDriverSuite(() => ({ driver: openFakeNftDriver(), close: () => undefined }));
