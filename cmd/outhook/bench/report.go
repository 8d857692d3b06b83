package bench

// Report is what a run of bench found.
type Report struct {
	Machine Machine `json:"machine"`
	// Repeat is how often each measurement was to be made, Seconds how long all took.
	Repeat  int     `json:"repeat"`
	Seconds float64 `json:"seconds"`
	Groups  []Group `json:"groups"`
	// Wrong says what makes figures worthless: an event that was lost or came twice.
	Wrong []string `json:"wrong"`
	// Notes say what else to know: what was cut or left out.
	Notes []string `json:"notes"`
	// Redis says, for each run of which there are profiles, what it did for a delivery.
	Redis []string `json:"redis,omitempty"`
}

// Machine is what the figures are of.
type Machine struct {
	Cores int    `json:"cores"`
	Model string `json:"model"`
	OS    string `json:"os"`
	Go    string `json:"go"`
	Redis string `json:"redis"`
	// Load is the load average over one minute as bench began; 0 where it is not known.
	Load float64 `json:"load"`
}

// Group is one table: the same measured on several roads.
type Group struct {
	Scenario string `json:"scenario"`
	Title    string `json:"title"`
	Rows     []Row  `json:"rows"`

	columns []column
}

// Row is one road.
type Row struct {
	Name string `json:"name"`
	// Runs are the figures of each repetition, Median those in the middle, Ratios of Median to that of the roads named.
	Runs   []metrics `json:"runs"`
	Median metrics   `json:"median"`
	Ratios metrics   `json:"ratios,omitempty"`
}

// column is one of a table.
type column struct {
	metric, head string
	// decimals are shown; against names the row whose figure is the 1 of a ratio, and is empty for the figure itself.
	decimals int
	against  road
}

// sum up computes medians and ratios.
func (g *Group) sumUp() {
	byName := map[string]metrics{}
	for i := range g.Rows {
		g.Rows[i].Median = medians(g.Rows[i].Runs)
		byName[g.Rows[i].Name] = g.Rows[i].Median
	}
	for i := range g.Rows {
		for _, c := range g.columns {
			if c.against == "" {
				continue
			}
			if r, ok := ratio(g.Rows[i].Median, byName[string(c.against)], c.metric); ok {
				if g.Rows[i].Ratios == nil {
					g.Rows[i].Ratios = metrics{}
				}
				g.Rows[i].Ratios[c.key()] = r
			}
		}
	}
}

func (c column) key() string { return c.metric + "To" + title(string(c.against)) }
