import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseClusterVersion } from '../../../src/kubernetes/cluster-version.js';
import { TOOLS, type Tool } from '../../../src/kubernetes/platform.js';
import { assertSupportedSkew, supportedMinors } from '../../../src/kubernetes/skew.js';
import { bytes, forAll, mutated, orRefused, text } from './cases.js';

const MINOR = fc.nat(120);
const TOOL = fc.constantFrom(...TOOLS);

const isSupported = async (tool: Tool, minor: number, cluster: number): Promise<boolean> => {
  const server = { text: `v1.${String(cluster)}.0`, minor: cluster };
  const checked = await orRefused(() => {
    assertSupportedSkew(`v1.${String(minor)}.0`, [tool], server);
    return true;
  });
  return checked === true;
};

describe('the version of a cluster', () => {
  const INFO = { gitVersion: 'v1.33.4-eks-1a2b3c', major: '1', minor: '33+' };

  test('any text: a version, or nothing; never an error', async () => {
    const reported = Buffer.from('v1.33.4-eks-1a2b3c');
    const json = Buffer.from(JSON.stringify({ clientVersion: INFO, serverVersion: INFO }));
    const any = fc.oneof(
      text(),
      fc.oneof(bytes(), mutated(reported), mutated(json)).map((buffer) => buffer.toString()),
      fc.json().map((value) => `{"serverVersion":${value}}`),
      fc.json().map((value) => `{"gitVersion":${value},"major":${value},"minor":${value}}`),
    );
    await forAll(any, (given) => {
      const parsed = parseClusterVersion(given);
      if (parsed === undefined) return;
      expect(parsed.minor).toBeGreaterThanOrEqual(0);
      expect(parsed.minor).toBeLessThan(1000);
      // Nothing in it could end a line of the log or be read as something else.
      expect(parsed.text).toMatch(/^v?1\.\d+[\w.+~-]*$/i);
      expect(parseClusterVersion(parsed.text)).toEqual(parsed);
    });
  });

  test('a version with what a distribution may add', async () => {
    const suffix = fc.oneof(fc.constant(''), fc.stringMatching(/^[-+][A-Za-z0-9.+-]{0,40}$/));
    await forAll(fc.tuple(MINOR, fc.nat(99), suffix), ([minor, patch, added]) => {
      const given = `v1.${String(minor)}.${String(patch)}${added}`;
      expect(parseClusterVersion(given)).toEqual({ text: given, minor });
      const json = JSON.stringify({ serverVersion: { gitVersion: given } });
      expect(parseClusterVersion(json)).toEqual({ text: given, minor });
    });
  });
});

describe('what is supported with a cluster', () => {
  test('is an interval of minors that has the own one of the cluster in it', async () => {
    await forAll(fc.tuple(TOOL, MINOR), async ([tool, cluster]) => {
      const range = supportedMinors(tool, cluster);
      for (let minor = Math.max(0, cluster - 6); minor <= cluster + 6; minor++) {
        const isInside = range === undefined || (minor >= range.oldest && minor <= range.newest);
        expect(await isSupported(tool, minor, cluster)).toBe(isInside);
      }
      expect(await isSupported(tool, cluster, cluster)).toBe(true);
    });
  });

  test('never moves down when the cluster moves up', async () => {
    await forAll(fc.tuple(TOOL, MINOR), ([tool, cluster]) => {
      const [now, next] = [supportedMinors(tool, cluster), supportedMinors(tool, cluster + 1)];
      if (now === undefined || next === undefined) {
        expect(next).toEqual(now);
        return;
      }
      expect(next.oldest).toBeGreaterThanOrEqual(now.oldest);
      expect(next.newest).toBeGreaterThanOrEqual(now.newest);
      expect(now.oldest).toBeLessThanOrEqual(now.newest);
    });
  });

  test('of a node is what the policy says in words', async () => {
    const node = fc.constantFrom('kubelet' as const, 'kube-proxy' as const);
    await forAll(fc.tuple(node, MINOR, MINOR), async ([tool, minor, cluster]) => {
      const mayBeOlder = minor < 25 ? 2 : 3;
      const expected = minor <= cluster && cluster - minor <= mayBeOlder;
      expect(await isSupported(tool, minor, cluster)).toBe(expected);
    });
  });
});
