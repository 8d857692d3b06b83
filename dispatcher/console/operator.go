package console

import (
	"strings"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// brandsOnPage bounds the rows of the operators' page.
const brandsOnPage = 50

// operatorView is how all brands are doing.
type operatorView struct {
	sight
	// By is the order.
	By string
	// Brands are those of the page.
	Brands []brandRow
	pager
	// Asked is a brand that was looked for and is none.
	Asked string
}

// operator shows the brands that ask for a look first.
func (v *visit) operator() error {
	if err := v.h.survey.walk(v.r.Context(), v.h.Service); err != nil {
		return err
	}
	by := v.r.FormValue("by")
	if orders[by] == nil {
		by = "open"
	}
	body := operatorView{sight: v.h.survey.look(by), By: by}
	var from, to int
	body.pager, from, to = pagerOf(v.r, len(body.Rows), brandsOnPage)
	body.Brands = body.Rows[from:to]
	return v.show("operator", view{Title: "Brands", Tab: "brands", Body: body})
}

// findBrand leads to the pages of the brand that an operator types.
func (v *visit) findBrand() error {
	brand := strings.TrimSpace(v.r.FormValue("brand"))
	if err := webhook.CheckID("brand", brand); err != nil {
		return err
	}
	return v.see("/brands/" + brand + "/")
}
