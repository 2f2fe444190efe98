package forwardauth

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/middleware/identity"
)

// tellUserInfo tells visitors, or services that pass their cookies on, who they are: the
// headers of the policy as an object of JSON. It is no proxy's question, so everybody may
// ask, nothing in the request but the cookie counts, and the answer is never a redirect.
// It does not count as a use of the session: a page that asks all the time would keep a
// session alive whose user has gone.
func (h *handler) tellUserInfo(w http.ResponseWriter, r *http.Request) {
	t := h.userInfo
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		h.finish(w, pathUserInfo, t, http.StatusMethodNotAllowed)
		return
	}
	origin := h.trusted.Origin(r)
	view, err := middleware.Peek(r)
	if err == nil && view.IsNew() {
		h.finish(w, pathUserInfo, t, http.StatusUnauthorized)
		return
	}
	d := t.policy.Decide(&identity.Request{
		Method: r.Method, Scheme: origin.Scheme, Host: origin.Host, URI: pathUserInfo, Header: h.believable(t, r.Header), Client: clientText(origin.Client),
	}, view, err)
	h.note(r.Context(), pathUserInfo, t, &d)
	if d.Status != http.StatusOK {
		h.tell(w, pathUserInfo, t, &d)
		return
	}
	claims := map[string]string{}
	for name, values := range d.Header {
		if name != t.policy.AssertionHeader() { // it is for an application, and opens it
			claims[name] = strings.Join(values, ",")
		}
	}
	body, err := json.Marshal(claims)
	if err != nil {
		h.finish(w, pathUserInfo, t, http.StatusInternalServerError)
		return
	}
	h.observe(pathUserInfo, t.name, http.StatusOK)
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Type", "application/json")
	header.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(append(body, '\n'))
}
