import tseslint from 'typescript-eslint';

/**
 * The floors of the architecture: each folder of src/ and the folders it may import from.
 * `mirrors` ← `policy`, `hosts` ← `admission`, `distribution` ← `controller` ← `cluster`, `standalone`,
 * `sandbox` ← `cli`; `serving` stands by itself and is used by `cli` alone.
 */
const floors = {
  mirrors: [],
  policy: ['mirrors'],
  hosts: ['mirrors'],
  admission: ['mirrors', 'policy', 'hosts'],
  distribution: ['mirrors', 'policy', 'hosts'],
  controller: ['mirrors', 'policy', 'hosts', 'admission', 'distribution'],
  cluster: ['mirrors', 'policy', 'hosts', 'admission', 'distribution', 'controller'],
  standalone: ['mirrors', 'policy', 'hosts', 'admission', 'distribution', 'controller'],
  sandbox: ['mirrors', 'policy', 'hosts', 'admission', 'distribution', 'controller'],
  serving: [],
  cli: [
    'mirrors',
    'policy',
    'hosts',
    'admission',
    'distribution',
    'controller',
    'cluster',
    'standalone',
    'sandbox',
    'serving',
  ],
};

/** What the pure core may import beside itself: libraries that only compute. */
const pureModules = ['zod', 'yaml', 'smol-toml', 'tinyqueue', 'node:crypto', 'node:util'];
const pureFolders = ['mirrors', 'policy', 'hosts'];

const importRules = Object.entries(floors).map(([folder, allowed]) => {
  const forbidden = Object.keys(floors).filter((other) => other !== folder && !allowed.includes(other));
  const patterns = forbidden.map((other) => ({
    regex: `^(\\.\\./)+${other}/`,
    message: `src/${folder} may not import src/${other}: see the floors in eslint.config.js.`,
  }));
  if (pureFolders.includes(folder)) {
    patterns.push({
      regex: `^(?!\\.|(${pureModules.join('|')})$)`,
      message: `src/${folder} is pure: it imports only itself, lower pure folders and ${pureModules.join(', ')}.`,
    });
  }
  return {
    files: [`src/${folder}/**/*.ts`],
    rules: { 'no-restricted-imports': ['error', { patterns }] },
  };
});

export default tseslint.config(
  { ignores: ['dist', 'coverage', 'node_modules', 'certs'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['eslint.config.js'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/prefer-readonly': 'error',
      'no-console': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  ...importRules,
  {
    files: pureFolders.map((folder) => `src/${folder}/**/*.ts`),
    rules: {
      'no-restricted-globals': [
        'error',
        ...['process', 'console', 'fetch', 'setTimeout', 'setInterval', 'setImmediate', 'performance'].map(
          (name) => ({ name, message: 'The core is pure: pass it in.' }),
        ),
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'The core is pure: time is passed in.' },
        { object: 'Math', property: 'random', message: 'The core is pure: randomness is passed in.' },
      ],
      'no-restricted-syntax': [
        'error',
        {
          selector: "NewExpression[callee.name='Date'][arguments.length=0]",
          message: 'The core is pure: time is passed in.',
        },
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  { files: ['**/*.js'], ...tseslint.configs.disableTypeChecked },
);
