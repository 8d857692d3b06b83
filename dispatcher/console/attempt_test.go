package console

import (
	"strings"
	"testing"

	"go.smobi.com/outhook/dispatcher/webhook"
)

func TestAnswersAreShownAsText(t *testing.T) {
	deep := `{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}"
	wide := `{"a":` + strings.Repeat("[", 60) + strings.Repeat("1,", 8000) + "1" + strings.Repeat("]", 60) + "}"
	closing := strings.Repeat("]", 5000)
	for body, want := range map[string]string{
		"": "", "plain": "plain", `{"a":[1]}`: "{\n  \"a\": [\n    1\n  ]\n}", `{"a":`: `{"a":`, "a\xff": "a\uFFFD", "{\"a\":\"\xff\"}": "{\n  \"a\": \"\uFFFD\"\n}",
		deep: deep, wide: wide, closing: closing,
	} {
		if got := wholeAttemptOf(webhook.Attempt{ResponseBody: []byte(body)}); got.Body != want || got.BodyMore != 0 {
			t.Errorf("%.40q is shown as %.40q, %d bytes, %d more", body, got.Body, len(got.Body), got.BodyMore)
		}
	}
	long := strings.Repeat("x", shownBody+7)
	if got := wholeAttemptOf(webhook.Attempt{ResponseBody: []byte(long)}); len(got.Body) != shownBody || got.BodyMore != 7 {
		t.Errorf("%d bytes, %d more", len(got.Body), got.BodyMore)
	}
	if got := attemptViewOf(webhook.Attempt{ResponseBody: []byte(long)}); got.Body != "" {
		t.Error("a row of a list has the body")
	}
	for text, want := range map[string]bool{"": true, strings.Repeat("[", 64): true, strings.Repeat("[{", 33): false, strings.Repeat("[]", 100): true} {
		if got := shallow([]byte(text)); got != want {
			t.Errorf("%.20q is shallow: %v", text, got)
		}
	}
}
