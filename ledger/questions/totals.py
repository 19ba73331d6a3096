"""Control totals: whether everything that came was answered, and everything that was planned has an end or is open."""

from ledger.questions.parameters import Span
from ledger.questions.question import Column, Question

QUESTION = Question(
    name="totals",
    title="Control totals per day",
    words="For the deliveries of each UTC day: received = answered, and planned = settled + failed + open + dropped. "
    "Received and planned are counted where receiving writes them; answered, settled, failed and dropped where their "
    "entries are: a row without its entry, or an entry without its row, shows as a day that does not balance.",
    parameters=Span,
    columns=(
        Column("day", "day", "The UTC day on which the deliveries came."),
        Column("received", "number", "Deliveries."),
        Column("answered", "number", "Of these, with the entry that tells the answer."),
        Column("planned", "number", "Pieces of work that they caused."),
        Column("settled", "number", "Done, as the last entry of each says."),
        Column("failed", "number", "Given up, refused, or without its secret."),
        Column("open", "number", "Waiting, planned, running or held."),
        Column("dropped", "number", "Cancelled, skipped, retired, unconfirmed, or a suspected duplicate's."),
        Column("astray", "number", "Entries that tell the end of work that is not there."),
        Column("balanced", "flag", "Whether both equations hold and nothing is astray."),
    ),
    key=("day",),
    personal=False,
    sql="""
        WITH came AS (
            SELECT d.id, d.hook, (d.received_at AT TIME ZONE 'UTC')::date AS day FROM deliveries d
             WHERE d.tenant = :tenant AND d.received_at >= :since AND d.received_at < :until
               AND (d.received_at AT TIME ZONE 'UTC')::date > :after_day
        ), told AS (
            SELECT e.delivery, e.hook, e.activity, (array_agg(e.outcome ORDER BY e.id DESC))[1] AS outcome FROM entries e
             WHERE e.tenant = :tenant AND e.at >= :since AND e.hook <> 'access'
             GROUP BY e.delivery, e.hook, e.activity
        ), answered AS (
            -- A deed's entry names the activity whose work it was done to.
            SELECT DISTINCT t.delivery FROM told t WHERE t.activity IS NULL OR t.hook = 'operator'
        ), work_of AS (
            SELECT c.day, w.delivery, w.activity,
                   CASE WHEN w.settled_at IS NULL THEN 'open'
                        WHEN w.outcome IN ('skipped', 'duplicate', 'erased') THEN 'dropped'
                        WHEN t.outcome IS NULL THEN 'nowhere'
                        WHEN t.outcome IN ('failed', 'refused', 'secret_gone') THEN 'failed'
                        WHEN t.outcome IN ('cancelled', 'retired', 'unconfirmed') THEN 'dropped'
                        ELSE 'settled' END AS ended
              FROM came c JOIN work w ON w.delivery = c.id AND w.tenant = :tenant
              LEFT JOIN told t ON t.delivery = w.delivery AND t.activity = w.activity
        ), planned AS (
            SELECT day, count(*) AS planned, count(*) FILTER (WHERE ended = 'settled') AS settled,
                   count(*) FILTER (WHERE ended = 'failed') AS failed, count(*) FILTER (WHERE ended = 'open') AS open,
                   count(*) FILTER (WHERE ended = 'dropped') AS dropped
              FROM work_of GROUP BY day
        ), received AS (
            SELECT c.day, count(*) AS received, count(t.delivery) AS answered
              FROM came c LEFT JOIN answered t ON t.delivery = c.id
             GROUP BY c.day
        ), astray AS (
            SELECT c.day, count(*) AS astray FROM told t JOIN came c ON c.id = t.delivery
             WHERE t.activity IS NOT NULL AND t.hook <> 'operator' AND NOT EXISTS (
                   SELECT 1 FROM work w WHERE w.delivery = t.delivery AND w.activity = t.activity AND w.tenant = :tenant)
             GROUP BY c.day
        )
        SELECT r.day, r.received, r.answered, coalesce(p.planned, 0) AS planned, coalesce(p.settled, 0) AS settled,
               coalesce(p.failed, 0) AS failed, coalesce(p.open, 0) AS open, coalesce(p.dropped, 0) AS dropped,
               coalesce(a.astray, 0) AS astray,
               r.received = r.answered AND coalesce(p.planned = p.settled + p.failed + p.open + p.dropped, true)
               AND coalesce(a.astray, 0) = 0 AS balanced
          FROM received r LEFT JOIN planned p ON p.day = r.day LEFT JOIN astray a ON a.day = r.day
         ORDER BY r.day LIMIT :limit
    """,
)
