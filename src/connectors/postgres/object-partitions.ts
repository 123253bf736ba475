// A partitioned table as tables to read one after another: each has its own index in the order of objects.
import type { Connection } from './client/connection.ts'
import type { TableFacts } from './tables/inspect-tables.ts'

/**
 * Partitions that hold all rows of their objects, or the table itself: where it has none, where its partitions may not be
 * read, where a policy applies to it alone, or where an object's rows may lie in several.
 *
 * @returns names as a statement needs them
 */
export async function objectPartitions(
  connection: Connection,
  { name, hasRowSecurity }: TableFacts,
  idColumn = 'oid',
): Promise<readonly string[]> {
  if (hasRowSecurity) return [name]
  const [found] = await connection.rows<readonly [leaves: string[] | null, mayRead: boolean, areWhole: boolean]>(
    `WITH tree AS (SELECT relid, isleaf FROM pg_partition_tree($1::regclass))
     SELECT (SELECT array_agg(relid::regclass::text ORDER BY relid::oid) FROM tree WHERE isleaf),
            coalesce((SELECT bool_and(has_table_privilege(relid, 'SELECT')) FROM tree WHERE isleaf), true),
            coalesce((SELECT bool_and(coalesce(a.attname IN ('sid', $2), false)) FROM tree
               JOIN pg_partitioned_table k ON k.partrelid = tree.relid CROSS JOIN unnest(k.partattrs::int2[]) n
               LEFT JOIN pg_attribute a ON a.attrelid = k.partrelid AND a.attnum = n), true)`,
    [name, idColumn],
  )
  const [leaves, mayRead, areWhole] = found!
  return leaves !== null && mayRead && areWhole ? leaves : [name]
}
