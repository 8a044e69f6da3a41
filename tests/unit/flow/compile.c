/* The workflow language: what is understood, and what is said about what is not. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "doc/doc.h"
#include "flow/flow.h"

static struct flow *compile(const char *yaml, GPtrArray *problems, GError **error)
{
  g_autoptr(doc_auto) document = doc_parse_yaml(yaml, strlen(yaml), "welcome.yaml", error);
  return document ? flow_compile(document, problems, error) : NULL;
}

static const char whole[] = "workflow: welcome\n"
                            "title: Welcome series\n"
                            "zone: Europe/Oslo\n"
                            "trigger:\n"
                            "  subscribed: news\n"
                            "from: \"Anna <anna@example.com>\"\n"
                            "steps:\n"
                            "  - name: hello\n"
                            "    send: hello.eml\n"
                            "  - wait: 2 days\n"
                            "    at: \"09:00\"\n"
                            "  - wait_for: click\n"
                            "    of: hello\n"
                            "    within: 3 days\n"
                            "    then: thanks\n"
                            "    otherwise: remind\n"
                            "  - name: remind\n"
                            "    send: more/remind.eml\n"
                            "  - at: 9:30\n"
                            "  - wait_for: {event: {name: order-placed, where: {plan: pro, items: 2}}}\n"
                            "    within: 90 min\n"
                            "    then: exit\n"
                            "  - next: thanks\n"
                            "  - exit\n"
                            "  - name: thanks\n"
                            "    send: thanks.eml\n"
                            "    next: exit\n";

static void check_whole(const struct flow *flow)
{
  const struct flow_about *about = flow_about(flow);
  assert_string_equal(about->name, "welcome");
  assert_string_equal(about->title, "Welcome series");
  assert_string_equal(about->zone, "Europe/Oslo");
  assert_string_equal(about->list, "news"); /* the trigger's */
  assert_string_equal(about->from, "Anna <anna@example.com>");
  assert_int_equal(about->steps, 9);
  assert_int_equal(flow_trigger(flow)->kind, EVENT_SUBSCRIBED);
  static const char *const steps[][3] = {
      {"hello", "hello.eml", "send hello.eml"},
      {"step-2", NULL, "wait 2 days, at 09:00"},
      {"step-3", NULL, "wait for click of hello, within 3 days"},
      {"remind", "more/remind.eml", "send more/remind.eml"},
      {"step-5", NULL, "wait until 9:30"},
      {"step-6", NULL, "wait for event order-placed, within 90 min"},
      {"step-7", NULL, "go to thanks"},
      {"step-8", NULL, "exit"},
      {"thanks", "thanks.eml", "send thanks.eml"},
  };
  for (int i = 0; i < about->steps; i++) {
    assert_string_equal(flow_step_name(flow, i), steps[i][0]);
    assert_int_equal(flow_step_find(flow, steps[i][0]), i);
    if (steps[i][1])
      assert_string_equal(flow_step_message(flow, i), steps[i][1]);
    else
      assert_null(flow_step_message(flow, i));
    assert_string_equal(flow_step_text(flow, i), steps[i][2]);
  }
  assert_int_equal(flow_step_find(flow, "nothing"), -1);
}

static void test_whole(void **state)
{
  (void)state;
  g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(flow_auto) flow = compile(whole, problems, NULL);
  assert_non_null(flow);
  check_whole(flow);
  assert_int_equal(problems->len, 1);
  assert_string_equal(
      problems->pdata[0],
      "welcome.yaml:24: warning: no way leads to step 'step-8'; name it in a 'next', 'then' or "
      "'otherwise', or leave it out");
}

/* The stored form makes the same workflow, and itself again. */
static void test_json(void **state)
{
  (void)state;
  g_autoptr(flow_auto) flow = compile(whole, NULL, NULL);
  json_auto_t *json = flow_to_json(flow);
  g_autoptr(GError) error = NULL;
  g_autoptr(flow_auto) again = flow_compile_json(json, "welcome", NULL, &error);
  assert_null(error);
  check_whole(again);
  json_auto_t *same = flow_to_json(again);
  assert_true(json_equal(json, same));
  /* As text, also for the reader of YAML. */
  char *text = json_dumps(json, JSON_INDENT(2));
  g_autoptr(flow_auto) third = compile(text, NULL, &error);
  assert_null(error);
  check_whole(third);
  free(text);
}

#define HEAD  "workflow: w\ntrigger: {subscribed: news}\n"
#define STEPS HEAD "steps:\n"

/* One line a problem; several in their order. */
static const struct wrong {
  const char *name, *yaml, *problems[4];
} wrongs[] = {
    {"no keys", "- a\n- b\n", {":1: a workflow begins with 'workflow: NAME'"}},
    {"empty", "", {""}},
    {"nothing but a name",
     "workflow: w\n",
     {":1: nothing starts the workflow; write 'trigger:'", ":1: the workflow has no steps; write 'steps:'"}},
    {"no name",
     "trigger: {subscribed: news}\nsteps: [exit]\n",
     {":1: the workflow has no name; write 'workflow: welcome'"}},
    {"name",
     "workflow: Hello World\n"
     "trigger: {subscribed: a}\nsteps: [exit]\n",
     {":1: 'Hello World' cannot be a name; write the workflow's name with a to z"}},
    {"a number as name",
     "workflow: 5\n"
     "trigger: {subscribed: a}\nsteps: [exit]\n",
     {":1: 'workflow' must be a text; write the workflow's name, in quotes"}},
    {"unknown key", HEAD "stps: []\nsteps: [exit]\n", {":3: a workflow has no key 'stps'; write 'steps'"}},
    {"far-off key",
     HEAD "colour: red\nsteps: [exit]\n",
     {":3: a workflow has no key 'colour'; it may have: workflow title zone"}},
    {"zone", HEAD "zone: ../../etc/passwd\nsteps: [exit]\n", {":3: '../../etc/passwd' is no time zone"}},
    {"from", HEAD "from: Anna\nsteps: [exit]\n", {":3: 'Anna' is no address; write Anna <anna@example.com>"}},
    {"two lines in from", HEAD "from: \"a@b\\nBcc: c@d\"\nsteps: [exit]\n", {":3: 'from' holds a line end"}},
    {"steps is a text", HEAD "steps: exit\n", {":3: 'steps' needs a list"}},
    {"steps is empty", HEAD "steps: []\n", {":3: 'steps' needs a list"}},
    {"trigger is a text",
     "workflow: w\ntrigger: subscribed\nsteps: [exit]\n",
     {":2: 'trigger' needs a kind of event below it"}},
    {"trigger is empty",
     "workflow: w\ntrigger: {}\nsteps: [exit]\n",
     {":2: a trigger is empty; write one of: subscribed mail event"}},
    {"trigger misspelled",
     "workflow: w\ntrigger: {subscribe: a}\nsteps: [exit]\n",
     {":2: a trigger has no key 'subscribe'; write 'subscribed'"}},
    {"two triggers",
     "workflow: w\ntrigger:\n  subscribed: a\n  event: b\nsteps: [exit]\n",
     {":4: a trigger names one kind of event; leave 'subscribed' or 'event' out"}},
    {"click as trigger",
     "workflow: w\ntrigger: {click: a}\nsteps: [exit]\n",
     {":2: a trigger has no key 'click'"}},
    {"every mail",
     "workflow: w\ntrigger: {mail: {}}\nsteps: [exit]\n",
     {":2: 'mail' says nothing of which; write at least one of: list sender subject"}},
    {"mail, plain",
     "workflow: w\ntrigger: {mail: orders}\nsteps: [exit]\n",
     {":2: 'mail' needs keys below it; it may have: list sender subject"}},
    {"mail, other key",
     "workflow: w\ntrigger: {mail: {to: a}}\nsteps: [exit]\n",
     {":2: 'mail' has no key 'to'"}},
    {"event without name",
     "workflow: w\ntrigger: {event: {where: {a: 1}}}\nsteps: [exit]\n",
     {":2: which event?"}},
    {"where is empty",
     "workflow: w\ntrigger: {event: {name: x, where: {}}}\nsteps: [exit]\n",
     {":2: 'where' holds 1 to 20 properties"}},
    {"where is deep",
     "workflow: w\ntrigger:\n  event:\n    name: x\n    where:\n      a: [1]\nsteps: [exit]\n",
     {":6: a property is compared with one value"}},
    {"a word that is no step",
     STEPS "  - hello\n",
     {":4: a step is 'exit' or a key and its value; write '- send: hello.eml'"}},
    {"step misspelled", STEPS "  - sned: hello.eml\n", {":4: a step has no key 'sned'; write 'send'"}},
    {"step with a name alone",
     STEPS "  - name: x\n",
     {":4: this step does nothing; write one of: send wait_for wait at exit next"}},
    {"two in one",
     STEPS "  - send: a.eml\n    wait: 1 day\n",
     {":5: a step does one thing; begin a new step '- wait: …'"}},
    {"key of another step",
     STEPS "  - send: a.eml\n    within: 1 day\n",
     {":5: a step with 'send' has no key 'within'; it may have: name send next"}},
    {"near key of another step",
     STEPS "  - wait: 1 day\n    att: \"09:00\"\n",
     {":5: a step with 'wait' has no key 'att'; write 'at'"}},
    {"message outside",
     STEPS "  - send: ../../secret\n",
     {":4: '../../secret' is not a file beside the workflow"}},
    {"message absolute", STEPS "  - send: /etc/passwd\n", {":4: '/etc/passwd' is not a file beside"}},
    {"message empty",
     STEPS "  - send:\n",
     {":4: 'send' is empty; write the name of a message file, such as hello.eml"}},
    {"message is a list", STEPS "  - send: [a]\n", {":4: 'send' must be a text"}},
    {"wait for a number", STEPS "  - wait: 2\n", {":4: 'wait' must be a text; write a time such as 2 days"}},
    {"wait in moons", STEPS "  - wait: 2 moons\n", {":4: \"2 moons\" is not "}},
    {"wait for nothing", STEPS "  - wait: 0 days\n", {":4: '0 days' is no time at all"}},
    {"wait for ever", STEPS "  - wait: 99999999999 days\n", {":4: \"99999999999 days\" is "}},
    {"no time of day", STEPS "  - wait: 1 day\n    at: 25:00\n", {":5: \"25:00\" is not "}},
    {"time of day is a number",
     STEPS "  - at: 9\n",
     {":4: 'at' must be a text; write a time of day such as \"09:00\", in quotes"}},
    {"wait for what",
     STEPS "  - send: a.eml\n  - wait_for: clik\n    within: 1 day\n",
     {":5: nothing is called 'clik' that could be waited for; write click"}},
    {"wait for mail",
     STEPS "  - wait_for: mail\n    within: 1 day\n",
     {":4: nothing is called 'mail' that could be waited for; write one of: subscribed event open click "
      "unsubscribed"}},
    {"wait for any event",
     STEPS "  - wait_for: event\n    within: 1 day\n",
     {":4: which event? Write its name"}},
    {"wait for a click on what",
     STEPS "  - send: a.eml\n  - wait_for: click here\n    within: 1 day\n",
     {":5: 'click' takes nothing after it; write 'wait_for: click'"}},
    {"wait without end",
     STEPS "  - send: a.eml\n  - wait_for: click\n",
     {":5: how long is it waited for? Write 'within: 3 days'"}},
    {"of with event",
     STEPS "  - name: a\n    send: a.eml\n  - wait_for: event x\n    of: a\n    within: 1 day\n",
     {":7: 'of' names the send whose open or click is meant; leave it out with 'event'"}},
    {"of a wait",
     STEPS
     "  - send: a.eml\n  - name: b\n    wait: 1 day\n  - wait_for: open\n    of: b\n    within: 1 day\n",
     {":8: step 'b' sends nothing"}},
    {"of a later one",
     STEPS
     "  - send: a.eml\n  - wait_for: open\n    of: b\n    within: 1 day\n  - name: b\n    send: b.eml\n",
     {":5: step 'b' does not come before this step"}},
    {"click of nothing",
     STEPS "  - wait_for: click\n    within: 1 day\n",
     {":4: nothing is sent before this step"}},
    {"exit with words", STEPS "  - exit: now\n", {":4: 'exit' takes nothing"}},
    {"exit and next", STEPS "  - exit:\n    next: a\n", {":5: a step does one thing"}},
    {"no such target",
     STEPS "  - name: remind\n    wait: 1 day\n  - next: remnd\n",
     {":6: no step is called 'remnd'; write remind"}},
    {"no such target, far",
     STEPS "  - next: somewhere\n",
     {":4: no step is called 'somewhere'; write the name of a step, or exit"}},
    {"same name twice",
     STEPS "  - name: a\n    send: a.eml\n  - name: a\n    send: b.eml\n",
     {":6: step 1 is already called 'a'"}},
    {"a step called exit", STEPS "  - name: exit\n    send: a.eml\n", {":4: no step can be called 'exit'"}},
    {"round",
     STEPS "  - name: a\n    send: a.eml\n  - next: a\n",
     {":4: from step 'a' the way leads round to it again without a wait"}},
    {"round to itself", STEPS "  - name: a\n    next: a\n", {":4: from step 'a' the way leads round"}},
    {"round by an event",
     STEPS "  - name: a\n    wait_for: event x\n    within: 1 day\n    then: a\n",
     {":4: from step 'a' the way leads round"}},
    {"several", STEPS "  - sned: a\n  - wait: soon\n  - send: ../x\n", {":4: ", ":5: ", ":6: "}},
    {"duplicate key", "workflow: w\nworkflow: v\n", {":2: "}},
};

static void test_wrong(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(wrongs); i++) {
    const struct wrong *row = &wrongs[i];
    print_message("%s\n", row->name);
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;
    assert_null(compile(row->yaml, problems, &error));
    assert_true(g_error_matches(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT));
    if (problems->len == 0) g_ptr_array_add(problems, g_strdup(error->message)); /* the document itself */
    assert_string_equal(error->message, problems->pdata[0]);
    guint count = 0;
    for (; count < G_N_ELEMENTS(row->problems) && row->problems[count]; count++) {
      g_autofree char *expected = g_strconcat("welcome.yaml", row->problems[count], NULL);
      assert_true(count < problems->len);
      print_message("  %s\n", (char *)problems->pdata[count]);
      assert_true(g_str_has_prefix(problems->pdata[count], expected));
    }
    assert_int_equal(problems->len, count);
  }
}

static const struct right {
  const char *name, *yaml;
} rights[] = {
    {"every day at nine", STEPS "  - name: a\n    send: a.eml\n  - at: \"09:00\"\n  - next: a\n"},
    {"round by a deadline",
     STEPS "  - name: a\n    wait_for: event x\n    within: 1 day\n    otherwise: a\n"},
    {"round on a click, with a wait", STEPS
     "  - name: a\n    send: a.eml\n  - wait: 1 min\n  - wait_for: click\n    within: 1 day\n    then: a\n"},
    {"hours and at", STEPS "  - wait: 1 day 12 hours\n    at: 10:00\n"},
    {"any unsubscription", STEPS "  - wait_for: unsubscribed\n    within: 1 week\n"},
    {"click of the mail that started it",
     "workflow: w\ntrigger: {mail: {list: a}}\nsteps: [{wait_for: click, within: 1 day}]\n"},
    {"by list", STEPS "  - wait_for: unsubscribed news\n    within: 1 week\n"},
    {"by mail", "workflow: w\ntrigger: {mail: {sender: \"@example.com\", subject: order}}\nsteps: [exit]\n"},
    {"event with a blank",
     "workflow: w\ntrigger: {event: order placed}\nsteps: [{wait_for: event order paid, within: 1 day}]\n"},
};

static void test_right(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(rights); i++) {
    print_message("%s\n", rights[i].name);
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;
    g_autoptr(flow_auto) flow = compile(rights[i].yaml, problems, &error);
    if (error) print_message("  %s\n", error->message);
    assert_non_null(flow);
    assert_int_equal(problems->len, 0);
    json_auto_t *json = flow_to_json(flow);
    g_autoptr(flow_auto) again = flow_compile_json(json, "stored", NULL, &error);
    if (error) print_message("  %s\n", error->message);
    json_auto_t *same = flow_to_json(again);
    assert_true(json_equal(json, same));
  }
}

/* All problems are counted, and the first fifty told. */
static void test_many(void **state)
{
  (void)state;
  g_autoptr(GString) yaml = g_string_new(STEPS);
  for (int i = 0; i < 200; i++)
    g_string_append(yaml, "  - wait: soon\n");
  g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
  assert_null(compile(yaml->str, problems, NULL));
  assert_int_equal(problems->len, FLOW_PROBLEMS_MAX);
  g_string_assign(yaml, STEPS);
  for (int i = 0; i <= FLOW_STEPS_MAX; i++)
    g_string_append(yaml, "  - wait: 1 day\n");
  g_autoptr(GError) error = NULL;
  assert_null(compile(yaml->str, NULL, &error));
  assert_string_equal(
      error->message,
      "welcome.yaml:4: 1001 steps are too many; write at most 1000, and another workflow for the rest");
}

/* Without lines the file's name stands alone. */
static void test_json_problem(void **state)
{
  (void)state;
  json_auto_t *json =
      json_pack("{s:s, s:{s:s}, s:[{s:i}]}", "workflow", "w", "trigger", "event", "x", "steps", "wait", 2);
  g_autoptr(GError) error = NULL;
  assert_null(flow_compile_json(json, "stored", NULL, &error));
  assert_true(g_str_has_prefix(error->message, "stored: 'wait' must be a text"));
  g_clear_error(&error);
  assert_null(flow_compile_json(NULL, "stored", NULL, &error));
}

/* ---- events ---- */

static const struct match {
  const char *name, *trigger;
  struct flow_event event;
  const char *properties;
  bool matches;
} matches[] = {
    {"list", "subscribed: news", {.kind = EVENT_SUBSCRIBED, .list = "news"}, NULL, true},
    {"other list", "subscribed: news", {.kind = EVENT_SUBSCRIBED, .list = "newsletter"}, NULL, false},
    {"no list", "subscribed: news", {.kind = EVENT_SUBSCRIBED}, NULL, false},
    {"other kind", "subscribed: news", {.kind = EVENT_UNSUBSCRIBED, .list = "news"}, NULL, false},
    {"sender",
     "mail: {sender: Shop@Example.com}",
     {.kind = EVENT_MAIL, .sender = "shop@example.COM"},
     NULL,
     true},
    {"sender's domain",
     "mail: {sender: \"@example.com\"}",
     {.kind = EVENT_MAIL, .sender = "a@Example.com"},
     NULL,
     true},
    {"sender's subdomain",
     "mail: {sender: \"@example.com\"}",
     {.kind = EVENT_MAIL, .sender = "a@x.example.com"},
     NULL,
     false},
    {"no sender", "mail: {sender: \"@example.com\"}", {.kind = EVENT_MAIL}, NULL, false},
    {"subject",
     "mail: {subject: \"ORDER ÅPEN\"}",
     {.kind = EVENT_MAIL, .subject = "Your order åpen 5"},
     NULL,
     true},
    {"other subject", "mail: {subject: order}", {.kind = EVENT_MAIL, .subject = "Hello"}, NULL, false},
    {"broken subject", "mail: {subject: order}", {.kind = EVENT_MAIL, .subject = "\xff order"}, NULL, true},
    {"both",
     "mail: {subject: order, list: a}",
     {.kind = EVENT_MAIL, .subject = "order", .list = "b"},
     NULL,
     false},
    {"our own mail", "mail: {list: a}", {.kind = EVENT_MAIL, .list = "a", .of_workflow = true}, NULL, false},
    {"event", "event: order", {.kind = EVENT_CUSTOM, .name = "order"}, NULL, true},
    {"other event", "event: order", {.kind = EVENT_CUSTOM, .name = "Order"}, NULL, false},
    {"where",
     "event: {name: order, where: {plan: pro, n: 2, new: true}}",
     {.kind = EVENT_CUSTOM, .name = "order"},
     "{\"plan\": \"pro\", \"n\": 2.0, \"new\": true, \"more\": 1}",
     true},
    {"where, otherwise",
     "event: {name: order, where: {plan: pro}}",
     {.kind = EVENT_CUSTOM, .name = "order"},
     "{\"plan\": \"free\"}",
     false},
    {"where, another type",
     "event: {name: order, where: {n: 2}}",
     {.kind = EVENT_CUSTOM, .name = "order"},
     "{\"n\": \"2\"}",
     false},
    {"where, nothing there",
     "event: {name: order, where: {n: 2}}",
     {.kind = EVENT_CUSTOM, .name = "order"},
     "{}",
     false},
    {"where, no properties",
     "event: {name: order, where: {n: 2}}",
     {.kind = EVENT_CUSTOM, .name = "order"},
     NULL,
     false},
};

static void test_matches(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(matches); i++) {
    print_message("%s\n", matches[i].name);
    g_autofree char *yaml =
        g_strdup_printf("workflow: w\ntrigger: {%s}\nsteps: [exit]\n", matches[i].trigger);
    g_autoptr(flow_auto) flow = compile(yaml, NULL, NULL);
    assert_non_null(flow);
    json_auto_t *properties = matches[i].properties ? json_loads(matches[i].properties, 0, NULL) : NULL;
    struct flow_event event = matches[i].event;
    event.properties = properties;
    assert_int_equal(flow_event_matches(flow_trigger(flow), &event), matches[i].matches);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_whole),   cmocka_unit_test(test_json), cmocka_unit_test(test_wrong),
      cmocka_unit_test(test_right),   cmocka_unit_test(test_many), cmocka_unit_test(test_json_problem),
      cmocka_unit_test(test_matches),
  };
  return cmocka_run_group_tests_name("flow compile", tests, NULL, NULL);
}
