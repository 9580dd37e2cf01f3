"""What a ledger in a PostgreSQL schema consists of, as the server itself writes it down.

One query over the system catalogue: tables with their columns, and what can
stand between a statement and a table without being seen: triggers, rules,
policies, children. What an extension brought is its own affair.
"""

from __future__ import annotations

DEFINITIONS = """
WITH here AS (
  SELECT oid AS schema FROM pg_catalog.pg_namespace WHERE nspname = current_schema()
),
ours AS (
  SELECT c.oid, c.relname, c.relkind, c.relpersistence, c.relrowsecurity, c.reloptions
  FROM pg_catalog.pg_class c, here
  WHERE c.relnamespace = here.schema
    AND c.relname IN ('events', 'checkpoints', 'alembic_version')
), of_extensions AS (
  SELECT objid FROM pg_catalog.pg_depend WHERE deptype = 'e'
)
SELECT 'table ' || o.relname, concat_ws(' ', o.relkind, o.relpersistence, o.relrowsecurity,
    o.reloptions, (
      SELECT string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod),
          a.attnotnull, a.attgenerated, pg_get_expr(d.adbin, d.adrelid)), ', ' ORDER BY a.attnum)
      FROM pg_catalog.pg_attribute a
      LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      WHERE a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped), (
      SELECT string_agg(concat_ws(' ', k.conname, pg_get_constraintdef(k.oid)), ', '
          ORDER BY k.conname) FROM pg_catalog.pg_constraint k
      WHERE k.conrelid = o.oid AND k.contype <> 'n'))
FROM ours o
UNION ALL
SELECT 'child table ' || i.inhrelid::regclass::text, o.relname
FROM pg_catalog.pg_inherits i JOIN ours o ON o.oid = i.inhparent
UNION ALL
SELECT 'trigger ' || t.tgname || ' on ' || o.relname,
  concat_ws(' ', t.tgenabled, pg_get_triggerdef(t.oid))
FROM pg_catalog.pg_trigger t JOIN ours o ON o.oid = t.tgrelid WHERE NOT t.tgisinternal
UNION ALL
SELECT 'rule ' || r.rulename || ' on ' || o.relname,
  concat_ws(' ', r.ev_enabled, pg_get_ruledef(r.oid))
FROM pg_catalog.pg_rewrite r JOIN ours o ON o.oid = r.ev_class
UNION ALL
SELECT 'policy ' || p.polname || ' on ' || o.relname, p.polpermissive::text
FROM pg_catalog.pg_policy p JOIN ours o ON o.oid = p.polrelid
UNION ALL
SELECT 'index ' || i.relname, concat_ws(' ', x.indisvalid, x.indisready, x.indislive,
    pg_get_indexdef(i.oid))
FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
JOIN ours o ON o.oid = x.indrelid
UNION ALL
SELECT 'view ' || c.relname, concat_ws(' ', c.relkind, c.reloptions, pg_get_viewdef(c.oid), (
    SELECT string_agg(concat_ws(' ', r.ev_enabled, pg_get_ruledef(r.oid)), ' '
      ORDER BY r.rulename)
    FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'), (
    SELECT string_agg(pg_get_triggerdef(t.oid), ' ' ORDER BY t.tgname)
    FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid))
FROM pg_catalog.pg_class c, here
WHERE c.relnamespace = here.schema AND c.relkind IN ('v', 'm')
  AND c.oid NOT IN (SELECT objid FROM of_extensions)
UNION ALL
SELECT 'function ' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
  concat_ws(' ', p.prokind, l.lanname, p.provolatile, p.proisstrict, p.prosecdef, p.proleakproof,
    p.prorettype::regtype, array_to_string(p.proconfig, '; '), p.prosrc, p.probin)
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang, here
WHERE p.pronamespace = here.schema AND p.oid NOT IN (SELECT objid FROM of_extensions)
"""
"""Rows of a part's name and its definition, of the schema that the search path names first."""
