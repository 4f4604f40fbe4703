// A JSON schema as a TypeScript type. Of an answer: what may be null is there all the same, the server leaves nothing out.

export function typeOf(schema) {
  if (schema === true || !schema || Object.keys(schema).every((key) => ['description', 'default', 'title'].includes(key))) return 'any';
  if (schema.$ref) return `Schemas['${schema.$ref.split('/').pop()}']`;
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return `(${choices.map(typeOf).join(' | ')})`;
  if (schema.allOf) return `(${schema.allOf.map(typeOf).join(' & ')})`;
  if (schema.enum) return `(${schema.enum.map((one) => JSON.stringify(one)).join(' | ')})`;
  if ('const' in schema) return JSON.stringify(schema.const);
  if (Array.isArray(schema.type)) return `(${schema.type.map((type) => typeOf({ ...schema, type })).join(' | ')})`;
  switch (schema.type) {
    case 'null': return 'null';
    case 'boolean': return 'boolean';
    case 'integer': case 'number': return 'number';
    case 'string': return 'string';
    case 'array': return schema.prefixItems ? `[${schema.prefixItems.map(typeOf).join(', ')}]` : `(${typeOf(schema.items)})[]`;
    case 'object': return objectOf(schema);
    default: throw new Error(`a schema that this does not read: ${JSON.stringify(schema)}`);
  }
}

function objectOf(schema) {
  if (schema.properties) return `{ ${Object.entries(schema.properties).map(([name, one]) => `${JSON.stringify(name)}: ${typeOf(one)}`).join('; ')} }`;
  return typeof schema.additionalProperties === 'object' ? `Record<string, ${typeOf(schema.additionalProperties)}>` : 'Record<string, unknown>';
}
