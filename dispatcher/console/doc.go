// Package console is outhook in the browser: pages under "/console/" for the people of a brand, and for operators.
//
// Every page is made whole on the server and works without scripts; htmx swaps parts of it. Nothing is loaded from
// elsewhere, and the policy of the pages allows no script or style but the files of this package. What is on a page may
// have been worded by a receiver or a tenant: templates escape it, and there is no way around them.
package console
