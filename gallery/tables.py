"""Every table of the system, as SQLAlchemy Core.

Rows that decisions depend on (templates, lists, memberships, calibrations) are never changed in
place: they carry the gallery epoch that added them and the one that removed them (``NULL``: still
there), so that the gallery *as of any epoch* can be read again. Names are for people and are not
versioned. Times that people read are ISO 8601 UTC text of fixed width, which sorts.

The schema keeps to what SQLite and PostgreSQL share. A change here needs a migration in
``gallery/migrations/versions``; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ROW_ID = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only where the column is exactly INTEGER."""

TIME = String(32)
LIVE = text("epoch_removed IS NULL")


def _epochs() -> tuple[Column[int], Column[int]]:
    """The two columns that place a row in the history of the gallery."""
    return Column("epoch_added", BigInteger, nullable=False), Column("epoch_removed", BigInteger)


def _key() -> tuple[Column[str], ...]:
    """The columns of a :class:`pipeline.types.TemplateKey`."""
    return tuple(
        Column(name, String(200), nullable=False) for name in ("model_id", "purifier_id", "align_version")
    )


gallery_epoch = Table(
    "gallery_epoch",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)
"""One row. Whoever changes the gallery raises it first, and so holds its lock until the commit."""

subjects = Table(
    "subjects",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("created_at", TIME, nullable=False),
    *_epochs(),
    Index("uq_subjects_live_name", "name", unique=True, sqlite_where=LIVE, postgresql_where=LIVE),
)

photos = Table(
    "photos",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("extension", String(8), nullable=False),
    Column("original_name", String(255), nullable=False),
    Column("width_px", Integer, nullable=False),
    Column("height_px", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("created_at", TIME, nullable=False),
)
"""Kept enrollment photographs; the bytes are in ``photos/ab/<sha256>.<extension>``."""

templates = Table(
    "templates",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    Column("subject_id", ForeignKey("subjects.id"), nullable=False, index=True),
    Column("photo_sha256", ForeignKey("photos.sha256"), nullable=False, index=True),
    *_key(),
    Column("vector", LargeBinary, nullable=False),
    Column("quality", Float, nullable=False),
    Column("detector_id", String(200), nullable=False),
    Column("face", Text, nullable=False),
    *_epochs(),
    Index("ix_templates_epoch_added", "epoch_added"),
    Index("ix_templates_epoch_removed", "epoch_removed"),
    Index(
        "uq_templates_live_photo",
        *("subject_id", "photo_sha256"),
        unique=True,
        sqlite_where=LIVE,
        postgresql_where=LIVE,
    ),
    sqlite_autoincrement=True,
)
"""`vector`: float32, little endian, unit norm. `face`: JSON of box, landmarks and score in the
upright photograph, so that the template can be made again from the same face."""

watch_lists = Table(
    "watch_lists",
    metadata,
    Column("version", ROW_ID, primary_key=True, autoincrement=True),
    Column("list_id", String(32), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("purpose", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("owner", String(200), nullable=False),
    Column("threshold", Float),
    Column("expires_at", TIME),
    Column("created_at", TIME, nullable=False),
    *_epochs(),
    Index("uq_watch_lists_live_name", "name", unique=True, sqlite_where=LIVE, postgresql_where=LIVE),
    Index("uq_watch_lists_live_id", "list_id", unique=True, sqlite_where=LIVE, postgresql_where=LIVE),
    sqlite_autoincrement=True,
)

list_members = Table(
    "list_members",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    Column("list_id", String(32), nullable=False, index=True),
    Column("subject_id", ForeignKey("subjects.id"), nullable=False, index=True),
    Column("expires_at", TIME),
    Column("note", Text),
    *_epochs(),
    Index(
        "uq_list_members_live",
        *("list_id", "subject_id"),
        unique=True,
        sqlite_where=LIVE,
        postgresql_where=LIVE,
    ),
    sqlite_autoincrement=True,
)

calibrations = Table(
    "calibrations",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    *_key(),
    Column("match_threshold", Float, nullable=False),
    Column("match_margin", Float, nullable=False),
    Column("fmr", Float, nullable=False),
    Column("report", Text, nullable=False),
    Column("created_at", TIME, nullable=False),
    Column("epoch_added", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

cameras = Table(
    "cameras",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("settings", Text, nullable=False),
    Column("created_at", TIME, nullable=False),
)

stream_epochs = Table(
    "stream_epochs",
    metadata,
    Column("camera_id", String(200), primary_key=True),
    Column("epoch", BigInteger, nullable=False),
)
"""The fencing token of each live camera: raised by every lease and every reconnect."""

readers = Table(
    "readers",
    metadata,
    Column("reader_id", String(64), primary_key=True),
    Column("beat", BigInteger, nullable=False),
)
"""Reader processes that share the cameras; `beat` grows while one is alive."""

camera_leases = Table(
    "camera_leases",
    metadata,
    Column("camera_id", String(200), primary_key=True),
    Column("reader_id", String(64), nullable=False),
    Column("beat", BigInteger, nullable=False),
)
"""Who reads which live camera."""

sightings = Table(
    "sightings",
    metadata,
    Column("decision_id", String(64), primary_key=True),
    Column("run_id", String(200), nullable=False, index=True),
    Column("camera_id", String(200), nullable=False),
    Column("stream_epoch", BigInteger, nullable=False),
    Column("track_id", BigInteger, nullable=False),
    Column("revision", String(32), nullable=False),
    Column("outcome", String(32), nullable=False, index=True),
    Column("subject_id", String(32), index=True),
    Column("candidate_id", String(32), index=True),
    Column("last_seen_at", TIME, index=True),
    Column("record", Text, nullable=False),
    Index("ix_sightings_track", "camera_id", "stream_epoch", "track_id"),
)
"""`record` is the whole :class:`pipeline.types.Sighting` as JSON; the other columns find it."""

erasures = Table(
    "erasures",
    metadata,
    Column("subject_id", String(32), primary_key=True),
    Column("erased_at", TIME, nullable=False),
    Column("gallery_epoch", BigInteger, nullable=False),
)
"""Subjects of whom nothing is left but their opaque id."""

erased_tracks = Table(
    "erased_tracks",
    metadata,
    Column("scope", String(700), primary_key=True),
    Column("erased_at", TIME, nullable=False),
)
"""Tracks whose keys every data folder on this database has to destroy, see ``audit.scopes``."""

unknown_version = Table(
    "unknown_version",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)
"""One row. Whoever changes groups of unknowns raises it first, and so holds its lock until the commit."""

unknown_groups = Table(
    "unknown_groups",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("created_at", TIME, nullable=False),
    Column("label", String(200)),
    Column("state", String(16), nullable=False),
    Column("subject_id", String(32), index=True),
    Column("merged_into", String(32), index=True),
)
"""`merged_into`: the group is no more, and its id leads to this one."""

unknown_apart = Table(
    "unknown_apart",
    metadata,
    Column("first_id", ForeignKey("unknown_groups.id"), primary_key=True),
    Column("second_id", ForeignKey("unknown_groups.id"), primary_key=True, index=True),
    Column("created_at", TIME, nullable=False),
)
"""Two groups that a person held to be two people; the smaller id is the first."""

sighting_faces = Table(
    "sighting_faces",
    metadata,
    Column("decision_id", String(64), primary_key=True),
    Column("camera_id", String(200), nullable=False),
    Column("stream_epoch", BigInteger, nullable=False),
    Column("track_id", BigInteger, nullable=False),
    Column("last_seen_at", TIME, index=True),
    Column("kept_at", TIME, nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("subject_id", String(32), index=True),
    *_key(),
    Column("vector", LargeBinary, nullable=False),
    Column("quality", Float, nullable=False),
    Column("group_id", ForeignKey("unknown_groups.id")),
    Column("look", String(32), index=True),
    Column("link", Float),
    Column("pinned", Boolean, nullable=False),
    Index("ix_sighting_faces_group", "group_id", "outcome"),
)
"""One face a track, `vector` as in `templates`: of the decision that ended it. `look`: the part of its group
of unknowns that it was found similar to, and `link` how similar; groups that are merged keep their looks.
`pinned`: a person had a word on that group while it was in there."""

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    Column("decision_id", String(64), nullable=False, index=True),
    Column("person", String(200), nullable=False),
    Column("opinion", String(32), nullable=False),
    Column("note", Text, nullable=False),
    Column("given_at", TIME, nullable=False),
    sqlite_autoincrement=True,
)
"""What people said of decisions; never changed. Of several on one decision by one person the last counts."""

console_users = Table(
    "console_users",
    metadata,
    Column("user_id", String(32), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("role", String(32), nullable=False),
    Column("password_hash", Text),
    Column("disabled_at", TIME),
    Column("created_at", TIME, nullable=False),
)
"""Who may use the console. Without a password they were invited and have not come yet."""

console_groups = Table(
    "console_groups",
    metadata,
    Column("group_id", String(32), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
)

console_group_cameras = Table(
    "console_group_cameras",
    metadata,
    Column("group_id", ForeignKey("console_groups.group_id", ondelete="CASCADE"), primary_key=True),
    Column("camera_id", String(200), primary_key=True),
)
"""Cameras by name, as sightings carry them: recorded footage has one too, and no row in `cameras`."""

console_user_groups = Table(
    "console_user_groups",
    metadata,
    Column("user_id", ForeignKey("console_users.user_id"), primary_key=True),
    Column("group_id", ForeignKey("console_groups.group_id", ondelete="CASCADE"), primary_key=True),
)

console_links = Table(
    "console_links",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("user_id", ForeignKey("console_users.user_id")),
    Column("expires_ns", BigInteger, nullable=False),
)
"""One-time links with which a password is set; without a user, they make the first administrator."""

console_sessions = Table(
    "console_sessions",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("user_id", ForeignKey("console_users.user_id"), nullable=False, index=True),
    Column("begun_ns", BigInteger, nullable=False),
    Column("used_ns", BigInteger, nullable=False),
)

console_tokens = Table(
    "console_tokens",
    metadata,
    Column("token_id", String(32), primary_key=True),
    Column("token_sha256", String(64), nullable=False, unique=True),
    Column("user_id", ForeignKey("console_users.user_id"), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", TIME, nullable=False),
    Column("expires_at", TIME, nullable=False),
    Column("revoked_at", TIME),
)
"""`scopes`: permissions, with spaces between them."""

console_attempts = Table(
    "console_attempts",
    metadata,
    Column("subject", String(80), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_ns", BigInteger, nullable=False),
    Column("blocked_until_ns", BigInteger, nullable=False),
)
"""Failed logins by user and by address; digests of both, since people type passwords as names."""

reader_previews = Table(
    "reader_previews",
    metadata,
    Column("reader_id", String(64), primary_key=True),
    Column("url", String(500), nullable=False),
)
"""Where a reader shows the pictures of the cameras that it leased. No secret: consoles bring theirs."""

canaries = Table(
    "canaries",
    metadata,
    Column("canary_id", String(32), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("consent", Text, nullable=False),
    Column("taken_by", String(200), nullable=False),
    Column("taken_at", TIME, nullable=False),
    Column("until", TIME, nullable=False),
)
"""People whose faces are attacked to see what the defence is worth; no part of the gallery. `consent`: what
they agreed to, who took it down and when; all of them is deleted at `until`."""

canary_photos = Table(
    "canary_photos",
    metadata,
    Column("photo_id", String(32), primary_key=True),
    Column("canary_id", ForeignKey("canaries.canary_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("enrolled", Boolean, nullable=False),
    Column("crop", LargeBinary, nullable=False),
    Column("quality", Float, nullable=False),
    Column("detector_id", String(200), nullable=False),
    Column("align_version", String(200), nullable=False),
    Column("probed_at", TIME),
)
"""`crop`: PNG of the aligned face, which is all that is kept of a photograph. `enrolled`: whether the gauge's
own gallery has it; the others are its probes."""

canary_runs = Table(
    "canary_runs",
    metadata,
    Column("run_id", String(32), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("started_at", TIME, nullable=False, index=True),
    Column("ended_at", TIME),
    Column("asked_by", String(200), nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("circumstances", Text),
)
"""Measurements of the gauge, also those that came to nothing; `circumstances`: JSON of models, thresholds,
gallery and attack."""

canary_results = Table(
    "canary_results",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    Column("run_id", ForeignKey("canary_runs.run_id"), nullable=False, index=True),
    Column("photo_id", String(32), nullable=False),
    Column("threat_model", String(16), nullable=False),
    Column("attack", String(100), nullable=False),
    Column("eps_255", Float, nullable=False),
    Column("goal", String(16), nullable=False),
    Column("purified", Boolean, nullable=False),
    Column("correct", Boolean, nullable=False),
    Column("false_name", Boolean, nullable=False),
    Column("suspected", Boolean),
    sqlite_autoincrement=True,
)
"""One probe under one condition; written with the end of its run, in one transaction. `photo_id` stays when
the photograph is deleted, and then means nobody."""

canary_alarms = Table(
    "canary_alarms",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    Column("kind", String(32), nullable=False),
    Column("since", TIME, nullable=False),
    Column("until", TIME),
    Column("detail", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""When the gauge gave an alarm; without `until` it still does."""

console_identities = Table(
    "console_identities",
    metadata,
    Column("issuer", String(500), primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("user_id", ForeignKey("console_users.user_id"), nullable=False, unique=True),
    Column("linked_at", TIME, nullable=False),
    Column("seen_at", TIME, nullable=False),
)
"""Users who come in through an identity provider, as it knows them; they have no password here."""

console_provider_logins = Table(
    "console_provider_logins",
    metadata,
    Column("secret_sha256", String(64), primary_key=True),
    Column("wanted", Text, nullable=False),
    Column("link_sha256", String(64)),
    Column("begun_ns", BigInteger, nullable=False),
)
"""Logins for which a browser is at the identity provider; `link_sha256`: of the link that it began with."""

console_provider_sessions = Table(
    "console_provider_sessions",
    metadata,
    Column("token_sha256", ForeignKey("console_sessions.token_sha256", ondelete="CASCADE"), primary_key=True),
    Column("id_token", Text, nullable=False),
)
"""Which sessions began at the identity provider, with what it needs to be told when they end (sealed)."""

alert_version = Table(
    "alert_version",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
    Column("rules", BigInteger, nullable=False),
)
"""One row. Whoever changes alerts raises `value` first, and so holds its lock until the commit: nobody who
asks for what is newer misses anything. `rules` grows with every change of a rule."""

alert_rules = Table(
    "alert_rules",
    metadata,
    Column("rule_id", String(32), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("content", Text, nullable=False),
    Column("created_at", TIME, nullable=False),
)
"""`content`: the rule as JSON, see ``workers.alerts.rules``."""

alerts = Table(
    "alerts",
    metadata,
    Column("alert_id", String(32), primary_key=True),
    Column("rule_id", String(32), nullable=False),
    Column("rule_name", String(200), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("urgency", Integer, nullable=False),
    Column("sound", Boolean, nullable=False),
    Column("subject_id", String(32), index=True),
    Column("state", String(16), nullable=False),
    Column("standing", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("merged_into", String(32)),
    Column("suspected", Boolean, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("first_at", TIME, nullable=False),
    Column("last_at", TIME, nullable=False),
    Column("assigned_to", ForeignKey("console_users.user_id")),
    Column("version", BigInteger, nullable=False, index=True),
    Index("ix_alerts_open", "state", "standing", "urgency", "last_at"),
)
"""One visit of one person under one rule. `state` is what people say; `standing` whether it is still right,
`reason` why it is not; `turn` counts how often that changed."""

alert_hits = Table(
    "alert_hits",
    metadata,
    Column("hit_id", String(32), primary_key=True),
    Column("alert_id", ForeignKey("alerts.alert_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("rule_id", String(32), nullable=False),
    Column("who", String(80), nullable=False),
    Column("claim", String(32), nullable=False),
    Column("track", String(32), nullable=False, index=True),
    Column("camera_id", String(200), nullable=False),
    Column("first_at", TIME, nullable=False),
    Column("last_at", TIME, nullable=False),
    Column("live", Boolean, nullable=False),
    Column("place", BigInteger, nullable=False),
    Column("decision_id", String(64), nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("similarity", Float),
    Index("ix_alert_hits_visit", "rule_id", "who", "last_at"),
)
"""That a track is what a rule asks for: `claim` says as what, `place` as of which of its decisions; not
`live` any more when a later decision took it back. `who`: whose visits are one alert."""

alert_events = Table(
    "alert_events",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    Column("alert_id", ForeignKey("alerts.alert_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", TIME, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("user_id", String(32)),
    Column("by", String(200), nullable=False),
    Column("camera_id", String(200)),
    Column("text", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""What became of an alert, in order: raised, withdrawn, acknowledged, remarked on."""

alert_deliveries = Table(
    "alert_deliveries",
    metadata,
    Column("delivery_id", String(32), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("content", Text, nullable=False),
    Column("created_at", TIME, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("retry_ns", BigInteger, nullable=False),
    Column("claimed_by", String(64)),
    Column("claimed_until_ns", BigInteger, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("last_sent_at", TIME),
)
"""Who is told elsewhere; `content` is JSON, see ``workers.alerts.deliveries.receiver``. One process at a time
sends to one of them."""

alert_outbox = Table(
    "alert_outbox",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    Column("key", String(100), nullable=False, unique=True),
    Column("delivery_id", ForeignKey("alert_deliveries.delivery_id", ondelete="CASCADE"), nullable=False),
    Column("alert_id", ForeignKey("alerts.alert_id", ondelete="CASCADE"), index=True),
    Column("event", String(16), nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Index("ix_alert_outbox_waiting", "delivery_id", "state", "id"),
    sqlite_autoincrement=True,
)
"""What is to be sent, in order; written with the alert, so that neither is there without the other."""
