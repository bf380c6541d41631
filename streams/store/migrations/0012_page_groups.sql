-- Names and publications of many pages in one statement. Rows are looked up one by one, each by a whole key: a
-- plan that was made while a table was empty stays a good one.

-- All slugs before all titles, each sorted: no two statements wait for each other.
CREATE FUNCTION reserve_page_names(p_sites text[], p_task_ids text[], p_slugs text[], p_titles text[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    holders json;
BEGIN
    INSERT INTO page_names (site, kind, value, task_id)
    SELECT p.site, n.kind, n.value, p.task_id
    FROM unnest(p_sites, p_task_ids, p_slugs, p_titles) AS p (site, task_id, slug, title)
    CROSS JOIN LATERAL (VALUES ('slug', p.slug), ('title', p.title)) AS n (kind, value)
    ORDER BY n.kind, p.site, n.value
    ON CONFLICT DO NOTHING;
    FOR place IN 1 .. cardinality(p_sites) LOOP
        SELECT json_object_agg(n.kind, n.task_id) INTO holders
        FROM (
            SELECT kind, task_id FROM page_names
            WHERE site = p_sites[place] AND kind = 'slug' AND value = p_slugs[place]
            UNION ALL
            SELECT kind, task_id FROM page_names
            WHERE site = p_sites[place] AND kind = 'title' AND value = p_titles[place]
        ) AS n
        WHERE n.task_id <> p_task_ids[place]
        HAVING count(*) > 0;
        IF holders IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'PN001', MESSAGE = 'a name is taken', DETAIL = holders;
        END IF;
        DELETE FROM page_names
        WHERE site = p_sites[place] AND task_id = p_task_ids[place]
          AND (kind, value) NOT IN (('slug', p_slugs[place]), ('title', p_titles[place]));
    END LOOP;
END
$$;
COMMENT ON FUNCTION reserve_page_names IS
    'Reserve slug and title of each page in place of its task''s earlier ones, or nothing at all (SQLSTATE PN001): '
    'then the detail tells for one of the pages which task holds which of its names. No task is given twice.';

-- By the slug too, which the content's hash implies: without it, the index of slugs looks as good as the primary
-- key while the table is empty, and each look is then one through all pages of the site.
CREATE FUNCTION complete_publications(
    p_sites text[], p_task_ids text[], p_slugs text[], p_revisions text[], p_content_hashes text[],
    p_urls text[], p_submission_ids text[], p_outcome text
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    page record;
BEGIN
    FOR page IN
        SELECT *
        FROM unnest(p_sites, p_task_ids, p_slugs, p_revisions, p_content_hashes, p_urls, p_submission_ids)
             AS p (site, task_id, slug, revision, content_hash, url, submission_id)
        ORDER BY site, task_id
    LOOP
        INSERT INTO publication_outcomes (submission_id, site, task_id, outcome, url, content_hash)
        VALUES (page.submission_id, page.site, page.task_id, p_outcome, page.url, page.content_hash)
        ON CONFLICT (submission_id) DO NOTHING;
        UPDATE publications SET state = 'published', url = page.url, updated_at = now()
        WHERE site = page.site AND task_id = page.task_id AND slug = page.slug
          AND revision = page.revision AND content_hash = page.content_hash AND state = 'publishing';
    END LOOP;
END
$$;
COMMENT ON FUNCTION complete_publications IS
    'Record each page as published, and its submission''s outcome. A page that was claimed anew meanwhile keeps '
    'that claim; its submission is published all the same.';
