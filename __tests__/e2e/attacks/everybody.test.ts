import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { fault, forgery } from '../../support/index.js';
import { MISSING } from '../../support/skip.js';

import { type Attack, testAttacks, KUBECTL, withLog } from './stage.js';

const ESCAPE = '\u001b[31m';
const COMMANDS = `::error title=forged::x ##[error]x ::set-output name=x::y ${ESCAPE}\u202e <img src=x> **bold** [a](https://evil.test) @everyone`;

const signedAs =
  (certificate: object): Attack['attack'] =>
  ({ kubectl }) =>
    void kubectl.sign({ certificate });

const WORDS: Attack[] = [
  {
    what: 'workflow commands in a pointer',
    outcome: 'VERSION_NOT_FOUND',
    locked: 'without effect',
    attack: ({ world, inputs }) => {
      world.host.server.fail(
        'stable.txt',
        fault.body(`\n::add-path::/evil\n${COMMANDS}`),
        Infinity,
      );
      inputs['version'] = 'stable';
    },
  },
  {
    what: 'workflow commands in a redirect',
    outcome: 'DOWNLOAD_FAILED',
    attack: ({ world }) =>
      world.host.server.fail(KUBECTL, fault.redirect('http://evil.test/##[error]'), Infinity),
  },
  {
    what: "workflow commands in the certificate's name",
    outcome: 'IDENTITY_MISMATCH',
    locked: 'without effect',
    attack: signedAs({ subjectAlternativeName: { email: `\n${COMMANDS.slice(0, 90)}\n` } }),
  },
  {
    what: "workflow commands in the certificate's issuer",
    outcome: 'IDENTITY_MISMATCH',
    locked: 'without effect',
    attack: signedAs({ issuer: `\n::add-path::/evil\n${COMMANDS}` }),
  },
  {
    what: 'Markdown and HTML in a name that is expected',
    outcome: 'without effect',
    locked: 'IDENTITY_MISMATCH',
    attack: (stage) => {
      const name = '::error::x<img src=x>**b**|`c`[a](b)##[error]@everyone';
      stage.inputs['certificate-identity'] = name;
      for (const file of [stage.kubectl, stage.world.release.sbom(stage.version)]) {
        file.sign({ certificate: { subjectAlternativeName: { email: name } } });
      }
    },
    check: ({ summary }) => {
      expect(summary).not.toMatch(/<img|\*\*|\[a\]|`c`|@everyone/);
      expect(summary).toContain('&#60;img');
    },
  },
  {
    what: 'workflow commands in an answer of the log',
    outcome: 'LOG_ENTRY_INVALID',
    locked: 'without effect',
    attack: withLog(forgery.text(`::add-path::/evil\n${COMMANDS}`)),
  },
  {
    what: 'workflow commands as the id of a log entry',
    outcome: 'LOG_ENTRY_INVALID',
    locked: 'without effect',
    attack: ({ world }) => {
      world.log.tamper = (answer) =>
        Object.fromEntries(Object.values(answer).map((entry) => [`\n${COMMANDS}`, entry]));
    },
  },
  {
    what: 'workflow commands in a bundle that is no JSON',
    outcome: 'SIGNATURE_MALFORMED',
    locked: 'without effect',
    attack: ({ world, kubectl }) => {
      kubectl.removeMaterial();
      world.host.put(`${kubectl.path}.sigstore.json`, `::add-path::/evil\n${COMMANDS}`);
    },
  },
  {
    what: "workflow commands in the SBOM's namespace",
    outcome: 'RELEASE_MISMATCH',
    locked: 'LOCK_MISMATCH',
    attack: ({ world, version }) =>
      void world.release.putSbom(version, { namespaceVersion: COMMANDS }),
  },
  {
    what: 'workflow commands in a file name of the SBOM',
    outcome: 'RELEASE_MISMATCH',
    locked: 'LOCK_MISMATCH',
    attack: ({ world, version, kubectl }) =>
      void world.release.putSbom(version, {
        omit: [kubectl.path.split('/').slice(2).join('/')],
        appended: `FileName: ${COMMANDS}\nFileChecksum: SHA256: ${kubectl.sha256}\n`,
      }),
  },
  {
    what: 'workflow commands in what a signed binary says of itself',
    outcome: 'RELEASE_MISMATCH',
    locked: 'LOCK_MISMATCH',
    needs: [MISSING.executables],
    attack: ({ world, version, kubectl }) => {
      const says = `{"gitVersion": "v1\n::add-path::/evil\n", "platform": "${ESCAPE}##[error]"}`;
      kubectl.replace(Buffer.from(`#!/bin/sh\necho '${says}'\n# ${version}\n`));
      kubectl.sign();
      world.host.remove(`release/${version}/kubernetes-release.spdx`);
    },
  },
  ...['version', 'tools', 'architecture', 'checksum', 'minimum-release-age', 'rekor-url'].map(
    (input): Attack => ({
      what: `workflow commands in the input ${input}`,
      outcome: 'INVALID_INPUT',
      attack: ({ inputs }) => {
        inputs[input] = `x\n::add-path::/evil\n${COMMANDS}`;
      },
    }),
  ),
  {
    what: 'workflow commands in a version file',
    outcome: 'INVALID_INPUT',
    attack: ({ inputs, workspace }) => {
      inputs['version'] = '';
      inputs['version-file'] = 'version';
      workspace['version'] = `${COMMANDS}\r::add-path::/evil\n`;
    },
  },
  {
    what: "workflow commands in a version file's name",
    outcome: 'INVALID_INPUT',
    attack: ({ inputs }) => {
      inputs['version'] = '';
      inputs['version-file'] = `a\n::add-path::/evil\n${COMMANDS}`;
    },
  },
  {
    what: 'workflow commands in a file name in the tool cache',
    warnings: ['Cached copy refused'],
    outcome: 'without effect',
    needs: [MISSING.anyFileName],
    attack: async (stage) => {
      await stage.earlierRun();
      const path = join(stage.entry, '\n::add-path::evil ##[error]');
      writeFileSync(path, '');
      chmodSync(path, 0o666);
    },
  },
];

testAttacks('everybody: words for the log and the summary', WORDS);
