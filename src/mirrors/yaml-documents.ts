/** YAML streams from anyone: parsed within bounds, since the parser alone can be made to exhaust the stack or the clock. */
import { Composer, isScalar, Lexer, LineCounter, Parser, visit, type Document, type CST } from 'yaml';

export type YamlDocument = Document.Parsed;

export interface YamlFault {
  /** Where it is, in UTF-16 code units from the start of the text. */
  readonly offset: number;
  readonly message: string;
}

export interface YamlStream {
  /** Documents without a syntax error, in their order; those with nothing but comments are among them. */
  readonly documents: readonly YamlDocument[];
  /** One for each document that cannot be read, and one for what follows where reading had to stop. */
  readonly faults: readonly YamlFault[];
  readonly lineCounter: LineCounter;
}

/** Kubernetes objects nest to some 40 levels; far more overflows the stack of a recursive reader. */
const deepest = 100;

/** Resolving aliases takes time that grows with the square of their number. */
const mostAliases = 1_000;

/** Parses a stream of documents. Never throws. */
export function parseYamlDocuments(text: string): YamlStream {
  const lineCounter = new LineCounter();
  const faults: YamlFault[] = [];
  // The composer's own search for repeated keys is quadratic, hence switched off and done below.
  const composer = new Composer({ lineCounter, merge: true, uniqueKeys: false });

  const documents = [...composer.compose(boundedTokens(text, lineCounter, faults))].filter((document) => {
    const fault = syntaxFault(document.errors) ?? structureFault(document);
    if (fault !== undefined) faults.push(fault);
    return fault === undefined;
  });
  // Faults behind, or without, any document.
  const loose = syntaxFault(composer.streamInfo().errors);
  if (loose !== undefined) faults.push(loose);
  return { documents, faults: faults.sort((left, right) => left.offset - right.offset), lineCounter };
}

/** The parser's tokens, one document each, up to the first that is nested too deep. */
function* boundedTokens(text: string, lineCounter: LineCounter, faults: YamlFault[]): Generator<CST.Token> {
  lineCounter.addNewLine(0);
  const parser = new Parser(lineCounter.addNewLine);
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length > deepest) {
      faults.push({
        offset: parser.offset,
        message: `nested deeper than ${deepest} levels: not read any further`,
      });
      return;
    }
  }
  yield* parser.end();
}

function syntaxFault(errors: Document['errors']): YamlFault | undefined {
  const [error] = errors;
  if (error === undefined) return undefined;
  const [firstLine = ''] = error.message.split('\n', 1);
  return { offset: error.pos[0], message: firstLine.trimEnd() };
}

function structureFault(document: YamlDocument): YamlFault | undefined {
  let fault: YamlFault | undefined;
  let aliases = 0;
  visit(document, {
    Alias: (_, alias) => {
      aliases += 1;
      if (aliases <= mostAliases) return undefined;
      fault = { offset: offsetOf(alias), message: `more than ${mostAliases} aliases in one document` };
      return visit.BREAK;
    },
    Map: (_, map) => {
      const seen = new Set<string>();
      for (const { key } of map.items) {
        // A merge key (`<<`), whose value is a symbol, may stand more than once.
        if (!isScalar(key) || typeof key.value === 'symbol') continue;
        const name = String(key.value);
        if (seen.has(name)) {
          fault = {
            offset: offsetOf(key),
            message: `the key ${JSON.stringify(name)} stands twice in one mapping`,
          };
          return visit.BREAK;
        }
        seen.add(name);
      }
      return undefined;
    },
  });
  return fault;
}

function offsetOf(node: { readonly range?: readonly number[] | null }): number {
  return node.range?.[0] ?? 0;
}
