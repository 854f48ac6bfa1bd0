import { z } from 'zod';

/**
 * The same schema, in which every object refuses fields that it does not know. The kinds leave that to the API server;
 * what is checked here may never have passed one, and a misspelt field would change nothing without a word.
 */
export function strict<T extends z.ZodType>(schema: T): T;
export function strict(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodObject) {
    const shape = Object.fromEntries(
      Object.entries(schema.shape as Record<string, z.ZodType>).map(([name, field]) => [name, strict(field)]),
    );
    return schema.clone({ ...schema.def, shape, catchall: z.never() });
  }
  if (schema instanceof z.ZodArray)
    return schema.clone({ ...schema.def, element: strict(schema.element as z.ZodType) });
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return schema.clone({ ...schema.def, innerType: strict(schema.def.innerType as z.ZodType) } as never);
  return schema;
}
