-- The catalogue of a database, in the shape of the published facts. What belongs to an extension is left out.
select json_build_object(
    'extensions', (select json_agg(extname order by extname) from pg_extension),
    'views', (
        select coalesce(json_agg(viewname), '[]') from pg_views where schemaname = 'public'
    ),
    'sequences', (
        select coalesce(json_agg(sequencename), '[]') from pg_sequences where schemaname = 'public'
    ),
    'functions', (
        select coalesce(json_agg(proname), '[]') from pg_proc p
        where pronamespace = 'public'::regnamespace
            and not exists (select 1 from pg_depend where objid = p.oid and deptype = 'e')
    ),
    'tables', (
        select json_agg(json_build_object(
            'name', t.relname,
            'columns', (
                select json_agg(json_build_object(
                    'name', a.attname,
                    'type', format_type(a.atttypid, a.atttypmod),
                    'nullable', not a.attnotnull,
                    'default', pg_get_expr(d.adbin, d.adrelid)
                ) order by a.attnum)
                from pg_attribute a
                left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
                where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
            ),
            'constraints', (
                select json_agg(json_build_object(
                    'name', conname, 'definition', pg_get_constraintdef(oid)
                ))
                from pg_constraint where conrelid = t.oid and contype in ('c', 'f', 'p', 'u')
            ),
            'indexes', (
                select json_agg(json_build_object(
                    'name', indexrelid::regclass::text,
                    'unique', indisunique,
                    'definition', pg_get_indexdef(indexrelid)
                ))
                from pg_index where indrelid = t.oid and indisvalid
            )
        ))
        from pg_class t where relnamespace = 'public'::regnamespace and relkind = 'r'
    ),
    'rows', (select json_agg(id) from migration_info)
)
