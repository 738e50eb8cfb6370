// Every way in which one field of a JSON document can be wrong, enumerated over its JSON Schema (draft 7).

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** Keys of objects and indexes of arrays, from the root. */
export type Pointer = readonly (string | number)[];

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly const?: Json;
  readonly enum?: readonly Json[];
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly definitions?: Readonly<Record<string, Schema>>;
}

export interface Mutation {
  /** `files.kubectl.sha256 removed` */
  readonly what: string;
  readonly kind: 'removed' | 'duplicated' | 'unknown member' | 'null' | 'changed' | 'exchanged';
  /** Of the field, without the names of files: `files.*.sha256` */
  readonly field: string;
  /** Whether the schema must see that it is wrong. What nobody signed it cannot see. */
  readonly isMalformed: boolean;
  /** JSON. */
  readonly text: string;
}

/** Each field of the schema, by the names of {@link Mutation.field}. */
export function fieldsOf(root: Schema): Set<string> {
  const found = new Set<string>();
  const visit = (schema: Schema, name: string): void => {
    const { properties = {}, additionalProperties, items } = resolved(root, schema);
    if (name !== '') found.add(name);
    for (const [key, child] of Object.entries(properties)) visit(child, join(name, key));
    if (typeof additionalProperties === 'object') visit(additionalProperties, join(name, '*'));
    if (items !== undefined) visit(items, join(name, '[]'));
  };
  visit(root, '');
  return found;
}

/** @param document valid */
export function mutationsOf(root: Schema, document: Json): Mutation[] {
  const mutations: Mutation[] = [];
  const visit = (schema: Schema, value: Json, pointer: Pointer, field: string): void => {
    const rules = resolved(root, schema);
    if (pointer.length > 0) {
      mutations.push(...mutationsAt(root, document, pointer, field));
    }
    if (Array.isArray(value)) {
      value.forEach((item, index) => {
        if (rules.items !== undefined)
          visit(rules.items, item, [...pointer, index], join(field, '[]'));
      });
    } else if (typeof value === 'object' && value !== null) {
      const withMore = { ...value, unknown: '' };
      mutations.push({
        what: `${pointer.join('.')} with an unknown member`,
        kind: 'unknown member',
        field,
        isMalformed: true,
        text: JSON.stringify(replaced(document, pointer, withMore)),
      });
      for (const [key, member] of Object.entries(value)) {
        const own = rules.properties?.[key];
        const other = rules.additionalProperties;
        if (own !== undefined) visit(own, member, [...pointer, key], join(field, key));
        else if (typeof other === 'object')
          visit(other, member, [...pointer, key], join(field, '*'));
        else throw new Error(`${pointer.join('.')}.${key} is not in the schema`);
      }
    }
  };
  visit(root, document, [], '');
  return mutations;
}

function mutationsAt(root: Schema, document: Json, pointer: Pointer, field: string): Mutation[] {
  const value = at(document, pointer) ?? null;
  const parent = pointer.slice(0, -1);
  const key = pointer[pointer.length - 1] ?? '';
  const isItem = typeof key === 'number';
  const rules = ruleAt(root, pointer);
  const mutation = (
    kind: Mutation['kind'],
    isMalformed: boolean,
    text: string,
    how = '',
  ): Mutation => ({ what: `${pointer.join('.')} ${kind}${how}`, kind, field, isMalformed, text });
  const set = (next: Json): string => JSON.stringify(replaced(document, pointer, next));
  return [
    mutation(
      'removed',
      isRequired(root, document, pointer),
      JSON.stringify(removed(document, pointer)),
    ),
    isItem
      ? mutation(
          'duplicated',
          !isLength(root, document, parent, 1),
          JSON.stringify(withItemTwice(document, parent, key)),
        )
      : // JSON.parse, and so the validator, sees one of the two.
        mutation('duplicated', false, textWithMemberTwice(document, pointer)),
    mutation('null', true, set(null)),
    ...changesOf(value, rules).map(({ next, how, isMalformed }) =>
      mutation('changed', isMalformed, set(next), how),
    ),
    ...counterpartsOf(document, pointer).map((other) =>
      mutation(
        'exchanged',
        // A file's entry has other members than an image's.
        pointer.length === 2 && other[0] !== pointer[0],
        JSON.stringify(exchanged(document, pointer, other)),
        ` with ${other.join('.')}`,
      ),
    ),
  ];
}

/** Other values of the same type. */
function changesOf(
  value: Json,
  rules: Schema,
): { next: Json; how: string; isMalformed: boolean }[] {
  if (typeof value === 'number') {
    return [
      { next: value + 1, how: ': one more', isMalformed: true },
      { next: String(value), how: ': as text', isMalformed: true },
    ];
  }
  if (typeof value !== 'string') return [];
  const isConstant = rules.const !== undefined || rules.enum !== undefined;
  const isPattern = rules.pattern !== undefined;
  const allowed = (rules.enum ?? []).filter((other) => other !== value);
  return [
    { next: '', how: ': empty', isMalformed: true },
    { next: `${value} `, how: ': a space behind', isMalformed: isConstant || isPattern },
    ...allowed.map((next) => ({ next, how: `: ${JSON.stringify(next)}`, isMalformed: false })),
    ...(isConstant
      ? [{ next: `${value}x`, how: ': another constant', isMalformed: true }]
      : changedCharacters(value).map((next) => ({
          next,
          how: ': one character',
          isMalformed: false,
        }))),
  ];
}

/** One letter or digit changed for the next one: at the start, in the middle, near the end. */
function changedCharacters(text: string): string[] {
  const places = [0, Math.floor(text.length / 2), text.length - 4].filter(
    (place) => place >= 0 && /[a-e0-8]/.test(text[place] ?? ''),
  );
  const near = places.length > 0 ? places : [text.search(/[a-e0-8]/)];
  return [...new Set(near)].map((place) => {
    const next = String.fromCharCode(text.charCodeAt(place) + 1);
    return `${text.slice(0, place)}${next}${text.slice(place + 1)}`;
  });
}

/** The members of a lock whose values are entries by name. */
const SECTIONS = ['files', 'images'];

/** The same field of other entries, of files and of images. Each pair is exchanged once. */
function counterpartsOf(document: Json, pointer: Pointer): Pointer[] {
  const [section, name, ...rest] = pointer;
  if (!SECTIONS.includes(String(section)) || name === undefined) return [];
  return SECTIONS.filter((other) => at(document, [other]) !== undefined)
    .flatMap((other) =>
      Object.keys(object(at(document, [other]))).map((key) => [other, key, ...rest]),
    )
    .filter((other) => {
      const value = at(document, other);
      const isNext = JSON.stringify(other) > JSON.stringify(pointer);
      return (
        isNext &&
        value !== undefined &&
        JSON.stringify(value) !== JSON.stringify(at(document, pointer))
      );
    });
}

function exchanged(document: Json, one: Pointer, other: Pointer): Json {
  const [a, b] = [at(document, one), at(document, other)];
  if (a === undefined || b === undefined) throw new Error('nothing to exchange');
  return replaced(replaced(document, one, b), other, a);
}

function ruleAt(root: Schema, pointer: Pointer): Schema {
  let schema = resolved(root, root);
  for (const key of pointer) {
    const { properties = {}, additionalProperties, items } = schema;
    const next =
      typeof key === 'number'
        ? items
        : (properties[key] ??
          (typeof additionalProperties === 'object' ? additionalProperties : undefined));
    if (next === undefined) throw new Error(`${pointer.join('.')} is not in the schema`);
    schema = resolved(root, next);
  }
  return schema;
}

function isRequired(root: Schema, document: Json, pointer: Pointer): boolean {
  const key = pointer[pointer.length - 1];
  const parent = pointer.slice(0, -1);
  return typeof key === 'string'
    ? (ruleAt(root, parent).required ?? []).includes(key)
    : !isLength(root, document, parent, -1);
}

/** Whether a list may have so many items more. */
function isLength(root: Schema, document: Json, pointer: Pointer, more: number): boolean {
  const list = at(document, pointer);
  const { minItems = 0, maxItems = Infinity } = ruleAt(root, pointer);
  if (!Array.isArray(list)) throw new Error('not a list');
  return list.length + more >= minItems && list.length + more <= maxItems;
}

function resolved(root: Schema, schema: Schema): Schema {
  const [, name] = /^#\/definitions\/(.+)$/.exec(schema.$ref ?? '') ?? [];
  if (name === undefined) return schema;
  const target = root.definitions?.[name];
  if (target === undefined) throw new Error(`no definition ${name}`);
  return resolved(root, target);
}

function at(value: Json, pointer: Pointer): Json | undefined {
  return pointer.reduce<Json | undefined>(
    (current, key) =>
      typeof current === 'object' && current !== null
        ? (current as Record<string | number, Json>)[key]
        : undefined,
    value,
  );
}

function replaced(document: Json, pointer: Pointer, next: Json): Json {
  const [key, ...rest] = pointer;
  if (key === undefined) return next;
  if (Array.isArray(document)) {
    return document.map((item, index) => (index === key ? replaced(item, rest, next) : item));
  }
  return Object.fromEntries(
    Object.entries(object(document)).map(([name, member]) => [
      name,
      name === key ? replaced(member, rest, next) : member,
    ]),
  );
}

function removed(document: Json, pointer: Pointer): Json {
  const parent = pointer.slice(0, -1);
  const key = pointer[pointer.length - 1];
  const value = at(document, parent) ?? null;
  const rest = Array.isArray(value)
    ? value.filter((_, index) => index !== key)
    : Object.fromEntries(Object.entries(object(value)).filter(([name]) => name !== key));
  return replaced(document, parent, rest);
}

function withItemTwice(document: Json, parent: Pointer, index: number): Json {
  const list = at(document, parent);
  if (!Array.isArray(list)) throw new Error('not a list');
  return replaced(document, parent, [...list.slice(0, index + 1), ...list.slice(index)]);
}

/** The member of an object twice, with the same value. */
function textWithMemberTwice(document: Json, pointer: Pointer): string {
  const marker = 'the second of two';
  const parent = pointer.slice(0, -1);
  const key = String(pointer[pointer.length - 1]);
  const members = Object.entries(object(at(document, parent) ?? null)).flatMap(
    ([name, member]): [string, Json][] =>
      name === key
        ? [
            [name, member],
            [marker, member],
          ]
        : [[name, member]],
  );
  const text = JSON.stringify(replaced(document, parent, Object.fromEntries(members)));
  return text.replace(JSON.stringify(marker), JSON.stringify(key));
}

function object(value: Json | undefined): Record<string, Json> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error('not an object');
  }
  return value;
}

const join = (name: string, key: string): string => (name === '' ? key : `${name}.${key}`);
