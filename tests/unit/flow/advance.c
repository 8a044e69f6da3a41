/* Journeys: what is decided, when, in which zone; and that asking earlier, later or more
 * often changes nothing.
 *
 * A journey is played under a clock of the test's own: the player asks, and does what the
 * decision says, with a list of events that happen on the way. What was done is told as
 * text, one line a decision, and that is compared. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "clock/clock.h"
#include "doc/doc.h"
#include "flow/flow.h"
#include "tz/text.h"
#include "zoneinfo/zoneinfo.h"

static struct zoneinfo *zones;

#define OF_TRIGGER (-1)

/* Something that happens: a custom event NAME; or open or click of the send number SEND,
 * OF_TRIGGER: of the mail that started the journey. */
struct happening {
  int64_t at;
  enum event_kind kind;
  const char *name;
  int send;
};

/* A journey that is played. */
struct play {
  const struct flow *flow;
  const struct tz_zone *zone;
  const struct happening *happenings;
  size_t count;
  int64_t now;
  GArray *sends; /* struct sent */
  struct flow_state state;
  GString *told;
};

struct sent {
  const char *step;
  int64_t visit;
};

static int64_t at(const char *text)
{
  int64_t instant;
  assert_true(tz_text_to_instant(text, NULL, &instant, NULL));
  return instant;
}

static struct flow *compile(const char *yaml)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(doc_auto) document = doc_parse_yaml(yaml, strlen(yaml), "w", &error);
  struct flow *flow = document ? flow_compile(document, NULL, &error) : NULL;
  if (error) print_message("%s\n", error->message);
  assert_non_null(flow);
  return flow;
}

static const struct tz_zone *zone(const char *name)
{
  const struct tz_zone *found = zoneinfo_get(zones, name, NULL);
  assert_non_null(found);
  return found;
}

/* ---- the player ---- */

static bool is_of(const struct play *play, const struct happening *happening,
                  const struct flow_question *question)
{
  if (!question->of_send) return true;
  if (!question->send) return happening->send == OF_TRIGGER;
  if (happening->send == OF_TRIGGER || happening->send >= (int)play->sends->len) return false;
  const struct sent *sent = &g_array_index(play->sends, struct sent, happening->send);
  return strcmp(sent->step, question->send) == 0 && (question->visit == 0 || question->visit == sent->visit);
}

/* Only what has happened by now is known. */
static int64_t first(void *user, const struct flow_question *question)
{
  const struct play *play = user;
  int64_t found = FLOW_NEVER;
  for (size_t i = 0; i < play->count; i++) {
    const struct happening *h = &play->happenings[i];
    struct flow_event event = {.kind = h->kind, .at = h->at, .name = h->name};
    if (h->at <= play->now && h->at >= question->from && flow_event_matches(&question->pattern, &event) &&
        is_of(play, h, question))
      found = MIN(found, h->at);
  }
  return found;
}

static void tell(struct play *play, int64_t instant, const char *what, const char *which)
{
  g_autofree char *text = tz_text_from_instant(instant, NULL);
  g_string_append_printf(play->told, "%s %s%s%s\n", text, what, *which ? " " : "", which);
}

static struct flow_decision ask(struct play *play)
{
  struct flow_facts facts = {first, play};
  struct flow_decision decision;
  int64_t since = play->state.since;
  flow_advance(play->flow, play->zone, &facts, play->now, &play->state, &decision);
  assert_true(play->state.since >= since); /* time never runs back */
  return decision;
}

/* Does what DECISION says; false if it is to wait. */
static bool act(struct play *play, const struct flow_decision *decision)
{
  if (decision->verb == FLOW_EXIT) {
    tell(play, play->now, "exit", flow_exit_name(decision->exit));
    return false;
  }
  if (decision->verb != FLOW_SEND) return false;
  tell(play, play->now, "send", decision->message);
  struct sent sent = {decision->step, decision->visit};
  g_array_append_val(play->sends, sent);
  assert_true(flow_sent(play->flow, FLOW_SENT, decision->visit, play->now, &play->state));
  return true;
}

/* The first happening after the player's now and before UNTIL, or UNTIL. */
static int64_t next_instant(const struct play *play, int64_t until)
{
  for (size_t i = 0; i < play->count; i++)
    if (play->happenings[i].at > play->now) until = MIN(until, play->happenings[i].at);
  return until;
}

static void play_init(struct play *play, const struct flow *flow, const struct tz_zone *in, int64_t start,
                      const struct happening *happenings, size_t count)
{
  *play = (struct play){.flow = flow, .zone = in, .happenings = happenings, .count = count, .now = start};
  play->sends = g_array_new(false, false, sizeof(struct sent));
  play->told = g_string_new(NULL);
  flow_start(flow, start, &play->state);
}

static void play_clear(struct play *play)
{
  g_array_free(play->sends, true);
  g_string_free(play->told, true);
}

/* Plays to the end, or END: asks when a decision says so and when something happens. */
static void play_on(struct play *play, int64_t end)
{
  struct flow_decision decision;
  for (;;) {
    do
      decision = ask(play);
    while (act(play, &decision));
    if (decision.verb == FLOW_EXIT) return;
    int64_t next = next_instant(play, decision.until);
    if (next > end) return;
    play->now = MAX(next, play->now);
  }
}

/* ---- stories ---- */

#define HEAD "workflow: w\ntrigger: {event: start}\nsteps:\n"

static const char followed[] = HEAD "  - {name: hello, send: hello.eml}\n"
                                    "  - {wait_for: click, within: 3 days, then: thanks, otherwise: remind}\n"
                                    "  - {name: remind, send: remind.eml}\n"
                                    "  - exit\n"
                                    "  - {name: thanks, send: thanks.eml}\n";

static const char twice[] = HEAD "  - {name: one, send: one.eml}\n"
                                 "  - wait: 1 day\n"
                                 "  - {name: two, send: two.eml}\n"
                                 "  - {wait_for: open, of: one, within: 1 day, then: opened}\n"
                                 "  - exit\n"
                                 "  - {name: opened, send: opened.eml}\n";

static const char ordered[] = HEAD "  - {send: cart.eml}\n"
                                   "  - wait: 2 hours\n"
                                   "  - {wait_for: event order, within: 1 hour, then: exit}\n"
                                   "  - {send: offer.eml}\n";

static const char answered[] = "workflow: w\ntrigger: {mail: {list: l}}\nsteps:\n"
                               "  - {wait_for: click, within: 3 days, then: thanks, otherwise: exit}\n"
                               "  - {name: thanks, send: thanks.eml}\n"
                               "  - {wait_for: open, within: 1 day, then: more}\n"
                               "  - exit\n"
                               "  - {name: more, send: more.eml}\n";

static const char daily[] = HEAD "  - {name: a, at: \"09:00\"}\n  - {send: a.eml}\n  - {next: a}\n";

static const struct story {
  const char *name, *yaml, *zone, *start, *end;
  struct {
    const char *at;
    enum event_kind kind;
    const char *name;
    int send;
  } happenings[4];
  const char *told;
} stories[] = {
    {"civil days: the day the clocks go back, Oslo",
     HEAD "  - {wait: 1 day, at: \"09:00\"}\n  - send: a.eml\n",
     "Europe/Oslo",
     "2026-10-24T12:00:00Z",
     "",
     {{0}},
     "2026-10-25T08:00:00Z send a.eml\n2026-10-25T08:00:00Z exit end\n"},
    {"and the day before",
     HEAD "  - at: \"09:00\"\n  - send: a.eml\n",
     "Europe/Oslo",
     "2026-10-24T03:00:00Z",
     "",
     {{0}},
     "2026-10-24T07:00:00Z send a.eml\n2026-10-24T07:00:00Z exit end\n"},
    {"New York goes back a week later",
     HEAD "  - {wait: 1 day, at: \"09:00\"}\n  - send: a.eml\n",
     "America/New_York",
     "2026-10-31T12:00:00Z",
     "",
     {{0}},
     "2026-11-01T14:00:00Z send a.eml\n2026-11-01T14:00:00Z exit end\n"},
    {"New York, on Oslo's day",
     HEAD "  - {wait: 1 day, at: \"09:00\"}\n  - send: a.eml\n",
     "America/New_York",
     "2026-10-24T12:00:00Z",
     "",
     {{0}},
     "2026-10-25T13:00:00Z send a.eml\n2026-10-25T13:00:00Z exit end\n"},
    {"Kathmandu never changes",
     HEAD "  - {wait: 1 day, at: \"09:00\"}\n  - send: a.eml\n",
     "Asia/Kathmandu",
     "2026-10-24T12:00:00Z",
     "",
     {{0}},
     "2026-10-25T03:15:00Z send a.eml\n2026-10-25T03:15:00Z exit end\n"},
    {"Lord Howe skips half an hour (Z4)",
     HEAD "  - {wait: 1 day, at: \"02:15\"}\n  - send: a.eml\n",
     "Australia/Lord_Howe",
     "2026-10-02T20:00:00Z",
     "",
     {{0}},
     "2026-10-03T15:45:00Z send a.eml\n2026-10-03T15:45:00Z exit end\n"},
    {"a time that comes twice comes once (Z2)",
     HEAD "  - {name: a, at: \"02:30\"}\n  - {send: a.eml}\n  - {next: a}\n",
     "Europe/Berlin",
     "2026-10-24T12:00:00Z",
     "2026-10-26T12:00:00Z",
     {{0}},
     "2026-10-25T00:30:00Z send a.eml\n2026-10-26T01:30:00Z send a.eml\n"},
    {"24 hours are not a day (Z14)",
     HEAD "  - wait: 24 hours\n  - send: a.eml\n",
     "Europe/Oslo",
     "2026-10-24T10:00:00Z",
     "",
     {{0}},
     "2026-10-25T10:00:00Z send a.eml\n2026-10-25T10:00:00Z exit end\n"},
    {"a day is not 24 hours (Z14)",
     HEAD "  - wait: 1 day\n  - send: a.eml\n",
     "Europe/Oslo",
     "2026-10-24T10:00:00Z",
     "",
     {{0}},
     "2026-10-25T11:00:00Z send a.eml\n2026-10-25T11:00:00Z exit end\n"},
    {"every day at nine, over the change",
     daily,
     "Europe/Oslo",
     "2026-10-24T10:00:00Z",
     "2026-10-27T00:00:00Z",
     {{0}},
     "2026-10-25T08:00:00Z send a.eml\n2026-10-26T08:00:00Z send a.eml\n"},
    {"clicked",
     followed,
     "UTC",
     "2026-01-01T00:00:00Z",
     "",
     {{"2026-01-02T00:00:00Z", EVENT_CLICK, NULL, 0}},
     "2026-01-01T00:00:00Z send hello.eml\n2026-01-02T00:00:00Z send thanks.eml\n2026-01-02T00:00:00Z exit "
     "end\n"},
    {"not clicked",
     followed,
     "UTC",
     "2026-01-01T00:00:00Z",
     "",
     {{0}},
     "2026-01-01T00:00:00Z send hello.eml\n2026-01-04T00:00:00Z send remind.eml\n2026-01-04T00:00:00Z exit "
     "exit\n"},
    {"clicked at the last instant",
     followed,
     "UTC",
     "2026-01-01T00:00:00Z",
     "",
     {{"2026-01-04T00:00:00Z", EVENT_CLICK, NULL, 0}},
     "2026-01-01T00:00:00Z send hello.eml\n2026-01-04T00:00:00Z send thanks.eml\n2026-01-04T00:00:00Z exit "
     "end\n"},
    {"clicked too late",
     followed,
     "UTC",
     "2026-01-01T00:00:00Z",
     "",
     {{"2026-01-04T00:00:00.000001Z", EVENT_CLICK, NULL, 0}},
     "2026-01-01T00:00:00Z send hello.eml\n2026-01-04T00:00:00Z send remind.eml\n2026-01-04T00:00:00Z exit "
     "exit\n"},
    {"opened only",
     followed,
     "UTC",
     "2026-01-01T00:00:00Z",
     "",
     {{"2026-01-02T00:00:00Z", EVENT_OPEN, NULL, 0}},
     "2026-01-01T00:00:00Z send hello.eml\n2026-01-04T00:00:00Z send remind.eml\n2026-01-04T00:00:00Z exit "
     "exit\n"},
    {"the mail that started it is clicked",
     answered,
     "UTC",
     "2026-01-01T00:00:00Z",
     "",
     {{"2026-01-02T00:00:00Z", EVENT_CLICK, NULL, OF_TRIGGER}},
     "2026-01-02T00:00:00Z send thanks.eml\n2026-01-03T00:00:00Z exit exit\n"},
    {"and then the one it sent",
     answered,
     "UTC",
     "2026-01-01T00:00:00Z",
     "",
     {{"2026-01-02T00:00:00Z", EVENT_CLICK, NULL, OF_TRIGGER}, {"2026-01-02T01:00:00Z", EVENT_OPEN, NULL, 0}},
     "2026-01-02T00:00:00Z send thanks.eml\n2026-01-02T01:00:00Z send more.eml\n2026-01-02T01:00:00Z exit "
     "end\n"},
    {"opened before it was waited for",
     twice,
     "UTC",
     "2026-01-01T00:00:00Z",
     "",
     {{"2026-01-01T01:00:00Z", EVENT_OPEN, NULL, 0}},
     "2026-01-01T00:00:00Z send one.eml\n2026-01-02T00:00:00Z send two.eml\n2026-01-02T00:00:00Z send "
     "opened.eml\n"
     "2026-01-02T00:00:00Z exit end\n"},
    {"the other one opened",
     twice,
     "UTC",
     "2026-01-01T00:00:00Z",
     "",
     {{"2026-01-02T01:00:00Z", EVENT_OPEN, NULL, 1}},
     "2026-01-01T00:00:00Z send one.eml\n2026-01-02T00:00:00Z send two.eml\n2026-01-03T00:00:00Z exit "
     "exit\n"},
    {"who clicks has opened",
     twice,
     "UTC",
     "2026-01-01T00:00:00Z",
     "",
     {{"2026-01-02T01:00:00Z", EVENT_CLICK, NULL, 0}},
     "2026-01-01T00:00:00Z send one.eml\n2026-01-02T00:00:00Z send two.eml\n2026-01-02T01:00:00Z send "
     "opened.eml\n"
     "2026-01-02T01:00:00Z exit end\n"},
    {"ordered while it waited for the clock",
     ordered,
     "UTC",
     "2026-01-01T00:00:00Z",
     "",
     {{"2026-01-01T01:00:00Z", EVENT_CUSTOM, "order", 0}},
     "2026-01-01T00:00:00Z send cart.eml\n2026-01-01T02:00:00Z exit end\n"},
    {"ordered before the mail",
     ordered,
     "UTC",
     "2026-01-01T00:00:00Z",
     "",
     {{"2025-12-31T23:00:00Z", EVENT_CUSTOM, "order", 0}},
     "2026-01-01T00:00:00Z send cart.eml\n2026-01-01T03:00:00Z send offer.eml\n2026-01-01T03:00:00Z exit "
     "end\n"},
    {"the trigger does not answer itself",
     HEAD "  - {wait_for: event start, within: 1 day, then: exit}\n  - {send: a.eml}\n",
     "UTC",
     "2026-01-01T00:00:00Z",
     "",
     {{"2026-01-01T00:00:00Z", EVENT_CUSTOM, "start", 0}},
     "2026-01-02T00:00:00Z send a.eml\n2026-01-02T00:00:00Z exit end\n"},
    {"beyond the calendar",
     HEAD "  - {wait: 36525 days}\n  - {send: a.eml}\n",
     "UTC",
     "9990-01-01T00:00:00Z",
     "",
     {{0}},
     ""},
};

static void test_stories(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(stories); i++) {
    const struct story *story = &stories[i];
    print_message("%s\n", story->name);
    g_autoptr(flow_auto) flow = compile(story->yaml);
    struct happening happenings[4];
    size_t count = 0;
    for (; count < 4 && story->happenings[count].at; count++)
      happenings[count] = (struct happening){at(story->happenings[count].at), story->happenings[count].kind,
                                             story->happenings[count].name, story->happenings[count].send};
    struct play play;
    play_init(&play, flow, zone(story->zone), at(story->start), happenings, count);
    play_on(&play, *story->end ? at(story->end) : FLOW_NEVER - 1);
    assert_string_equal(play.told->str, story->told);
    play_clear(&play);
  }
}

/* ---- single decisions ---- */

static void test_decision(void **state)
{
  (void)state;
  g_autoptr(flow_auto) flow = compile(HEAD "  - {name: a, wait: 2 days, at: \"09:00\"}\n"
                                           "  - {name: b, send: b.eml}\n"
                                           "  - {name: c, wait: 90 min}\n"
                                           "  - {name: d, wait_for: click, within: 1 day}\n");
  const struct tz_zone *oslo = zone("Europe/Oslo");
  struct flow_state s;
  struct flow_decision d;
  int64_t start = at("2026-10-23T12:00:00Z");
  flow_start(flow, start, &s);
  flow_advance(flow, oslo, &flow_no_facts, start, &s, &d);
  assert_int_equal(d.verb, FLOW_WAIT_UNTIL);
  assert_string_equal(d.step, "a");
  assert_int_equal(d.visit, 1);
  assert_int_equal(d.until, at("2026-10-25T08:00:00Z"));
  assert_string_equal(d.wall, "2026-10-25T09:00:00");
  /* Elsewhere now: asked again, it is nine there. */
  flow_advance(flow, zone("Asia/Kathmandu"), &flow_no_facts, start, &s, &d);
  assert_int_equal(d.until, at("2026-10-25T03:15:00Z"));

  flow_advance(flow, oslo, &flow_no_facts, d.until + CLOCK_DAY, &s, &d);
  assert_int_equal(d.verb, FLOW_SEND);
  assert_string_equal(d.step, "b");
  assert_string_equal(d.message, "b.eml");
  assert_int_equal(d.visit, 2);
  assert_int_equal(s.since, at("2026-10-25T08:00:00Z"));   /* its own time, not when somebody looked */
  flow_advance(flow, oslo, &flow_no_facts, start, &s, &d); /* the clock was put back */
  assert_int_equal(d.verb, FLOW_SEND);
  assert_int_equal(d.visit, 2);
  int64_t sent = at("2026-10-25T08:00:05Z");
  assert_false(flow_sent(flow, FLOW_SENT, 1, sent, &s));
  assert_true(flow_sent(flow, FLOW_SENT, 2, sent, &s));
  assert_false(flow_sent(flow, FLOW_SENT, 2, sent, &s)); /* told twice */

  flow_advance(flow, oslo, &flow_no_facts, sent, &s, &d);
  assert_int_equal(d.verb, FLOW_WAIT_UNTIL);
  assert_int_equal(d.until, sent + 90 * CLOCK_MINUTE);
  assert_string_equal(d.wall, ""); /* no zone moves it */
  flow_advance(flow, oslo, &flow_no_facts, d.until, &s, &d);
  assert_int_equal(d.verb, FLOW_WAIT_FOR);
  assert_int_equal(d.await.pattern.kind, EVENT_CLICK);
  assert_true(d.await.of_send);
  assert_string_equal(d.await.send, "b");
  assert_int_equal(d.await.visit, 2);
  assert_true(flow_wakes(&d.await, &(struct flow_event){.kind = EVENT_CLICK, .at = sent}));
  assert_false(flow_wakes(&d.await, &(struct flow_event){.kind = EVENT_OPEN, .at = sent}));
  flow_advance(flow, oslo, &flow_no_facts, d.until, &s, &d);
  assert_int_equal(d.verb, FLOW_EXIT);
  assert_int_equal(d.exit, FLOW_EXIT_END);
  assert_null(d.step);
  flow_advance(flow, oslo, &flow_no_facts, d.until, &s, &d);
  assert_int_equal(d.verb, FLOW_EXIT);
}

static void test_refused(void **state)
{
  (void)state;
  static const struct {
    enum flow_outcome outcome;
    enum flow_exit exit;
    const char *name;
  } rows[] = {{FLOW_FAILED, FLOW_EXIT_FAILED, "failed"},
              {FLOW_SUPPRESSED, FLOW_EXIT_SUPPRESSED, "suppressed"}};
  g_autoptr(flow_auto) flow = compile(HEAD "  - {send: a.eml}\n  - wait: 1 day\n");
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    print_message("%s\n", rows[i].name);
    struct flow_state s;
    struct flow_decision d;
    flow_start(flow, 1000, &s);
    assert_true(flow_sent(flow, rows[i].outcome, 1, 2000, &s));
    flow_advance(flow, tz_zone_utc(), &flow_no_facts, 2000, &s, &d);
    assert_int_equal(d.verb, FLOW_EXIT);
    assert_int_equal(d.exit, rows[i].exit);
    assert_string_equal(flow_exit_name(d.exit), rows[i].name);
  }
}

/* Years of missed minutes are caught up in turns, and without going wrong on the way. */
static void test_catch_up(void **state)
{
  (void)state;
  g_autoptr(flow_auto) flow = compile(HEAD "  - {name: a, wait: 1 min}\n  - {next: a}\n");
  struct flow_state s;
  struct flow_decision d;
  int64_t start = at("2026-01-01T00:00:00Z"), now = start + 10000 * CLOCK_MINUTE + 30 * CLOCK_SECOND;
  flow_start(flow, start, &s);
  int turns = 0;
  do {
    flow_advance(flow, tz_zone_utc(), &flow_no_facts, now, &s, &d);
    assert_int_equal(d.verb, FLOW_WAIT_UNTIL);
    turns++;
  } while (d.until <= now);
  assert_int_equal(d.until, start + 10001 * CLOCK_MINUTE);
  assert_in_range(turns, 2, 100);
}

/* ---- properties over random workflows ---- */

/* A workflow of up to ten steps, with ways forth and, by deadlines, back; WITH_SENDS or of
 * waits alone. NULL if the dice made one that is refused. */
static struct flow *random_flow(GRand *dice, bool with_sends)
{
  static const char *const waits[] = {"30 min", "4 hours", "1 day", "2 days"};
  static const char *const events[] = {"event x", "event y", "click", "open"};
  int count = g_rand_int_range(dice, 2, 10);
  json_auto_t *steps = json_array();
  for (int i = 0; i < count; i++) {
    json_t *step = json_pack("{s:o}", "name", json_sprintf("s%d", i));
    json_t *target = json_sprintf("s%d", g_rand_int_range(dice, 0, count));
    int kind = g_rand_int_range(dice, with_sends ? 0 : 1, 5);
    if (kind == 0 || (with_sends && i == 0))
      json_object_set_new(step, "send", json_sprintf("m%d.eml", i)), json_decref(target);
    else if (kind == 1)
      json_object_set_new(step, "wait", json_string(waits[g_rand_int_range(dice, 0, 4)])),
          json_decref(target);
    else if (kind == 2)
      json_object_set_new(step, "at", json_string("09:00")), json_decref(target);
    else {
      json_object_set_new(step, "wait_for",
                          json_string(events[g_rand_int_range(dice, 0, with_sends ? 4 : 2)]));
      json_object_set_new(step, "within", json_string(waits[g_rand_int_range(dice, 0, 4)]));
      json_object_set_new(step, kind == 3 ? "then" : "otherwise", target);
    }
    json_array_append_new(steps, step);
  }
  json_auto_t *root =
      json_pack("{s:s, s:{s:s}, s:O}", "workflow", "w", "trigger", "event", "start", "steps", steps);
  return flow_compile_json(root, "random", NULL, NULL);
}

static void random_happenings(GRand *dice, int64_t start, struct happening *happenings, size_t count)
{
  static const enum event_kind kinds[] = {EVENT_CUSTOM, EVENT_OPEN, EVENT_CLICK};
  for (size_t i = 0; i < count; i++)
    happenings[i] = (struct happening){
        .at =
            start + (int64_t)g_rand_int_range(dice, -10, 240) * CLOCK_HOUR + g_rand_int_range(dice, 0, 1000),
        .kind = kinds[g_rand_int_range(dice, 0, 3)],
        .name = g_rand_boolean(dice) ? "x" : "y",
        .send = g_rand_int_range(dice, 0, 6),
    };
}

/* As play_on(), but asks at random instants in between too, and twice; the state goes
 * through a copy, as through a database. */
static void play_restless(struct play *play, GRand *dice, int64_t end)
{
  struct flow_decision decision;
  for (;;) {
    do {
      struct flow_state stored = play->state;
      decision = ask(play);
      struct flow_decision again = ask(play);
      assert_int_equal(decision.verb, again.verb);
      assert_int_equal(decision.until, again.until);
      assert_int_equal(decision.visit, again.visit);
      if (decision.verb == FLOW_SEND && g_rand_boolean(dice)) {
        play->state = stored; /* died before it was recorded: the same send comes again */
        again = ask(play);
        assert_string_equal(again.step, decision.step);
        assert_int_equal(again.visit, decision.visit);
      }
    } while (act(play, &decision));
    if (decision.verb == FLOW_EXIT) return;
    int64_t next = next_instant(play, decision.until);
    int64_t sooner = play->now + g_rand_int_range(dice, 1, 1 << 30) * INT64_C(10);
    if (g_rand_boolean(dice)) next = MIN(next, sooner);
    if (next > end) return;
    play->now = MAX(next, play->now);
  }
}

static void test_asking_changes_nothing(void **state)
{
  (void)state;
  g_autoptr(GRand) dice = g_rand_new_with_seed(20261122);
  int64_t start = at("2026-10-20T12:00:00Z"), end = start + 12 * CLOCK_DAY;
  int played = 0, lines = 0;
  for (int i = 0; i < 5000; i++) {
    g_autoptr(flow_auto) flow = random_flow(dice, true);
    struct happening happenings[8];
    random_happenings(dice, start, happenings, 8);
    if (!flow) continue;
    struct play quiet, restless;
    play_init(&quiet, flow, zone("Europe/Oslo"), start, happenings, 8);
    play_init(&restless, flow, zone("Europe/Oslo"), start, happenings, 8);
    play_on(&quiet, end);
    play_restless(&restless, dice, end);
    assert_string_equal(quiet.told->str, restless.told->str);
    for (const char *p = quiet.told->str; *p; p++)
      lines += *p == '\n';
    played++;
    play_clear(&quiet);
    play_clear(&restless);
  }
  print_message("count: %d random workflows, %d sends and exits, the same however often they were asked\n",
                played, lines);
  assert_true(played > 1000 && lines > 3 * played);
}

/* Where nothing is sent, one look after it all ends where many looks did. */
static void test_late_changes_nothing(void **state)
{
  (void)state;
  g_autoptr(GRand) dice = g_rand_new_with_seed(5);
  int64_t start = at("2026-10-20T12:00:00Z"), end = start + 12 * CLOCK_DAY;
  int played = 0, moved = 0;
  for (int i = 0; i < 5000; i++) {
    g_autoptr(flow_auto) flow = random_flow(dice, false);
    struct happening happenings[8];
    random_happenings(dice, start, happenings, 8);
    if (!flow) continue;
    struct play often, once;
    play_init(&often, flow, zone("America/New_York"), start, happenings, 8);
    play_init(&once, flow, zone("America/New_York"), start, happenings, 8);
    play_on(&often, end);
    often.now = once.now = end;
    while (ask(&often).until <= end && often.state.step >= 0)
      ;
    while (ask(&once).until <= end && once.state.step >= 0)
      ;
    assert_int_equal(often.state.step, once.state.step);
    assert_int_equal(often.state.visit, once.state.visit);
    assert_int_equal(often.state.since, once.state.since);
    assert_int_equal(often.state.exit, once.state.exit);
    moved += (int)once.state.visit;
    played++;
    play_clear(&often);
    play_clear(&once);
  }
  print_message("count: %d random workflows of waits, %d steps, the same in one look as in many\n", played,
                moved);
  assert_true(played > 1000 && moved > 3 * played);
}

static int open_zones(void **state)
{
  (void)state;
  zones = zoneinfo_open(NULL, NULL);
  return zones ? 0 : -1;
}

static int close_zones(void **state)
{
  (void)state;
  zoneinfo_close(zones);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_stories),
      cmocka_unit_test(test_decision),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_catch_up),
      cmocka_unit_test(test_asking_changes_nothing),
      cmocka_unit_test(test_late_changes_nothing),
  };
  return cmocka_run_group_tests_name("flow advance", tests, open_zones, close_zones);
}
