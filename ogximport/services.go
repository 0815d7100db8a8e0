package ogximport

// custom writes a custom.
func (im *importer) custom(w *writer, v value, o *object) bool {
	endpoint, there := o.get("endpoint")
	if !there {
		im.refuse(v, "has no endpoint, which OGX does not start without")
		return false
	}
	if !im.endpoint(w, endpoint) {
		return false
	}
	if tenant, there := o.get("tenant_field"); there {
		im.tenantClaim(w, tenant, false)
	}
	return true
}

func (im *importer) endpoint(w *writer, v value) bool {
	a, ok := im.address(v, false)
	if !ok {
		return false
	}
	w.line("endpoint", a.token)
	if a.plain {
		w.line("allow_http")
	}
	im.note(v, "is shown neither credentials of other services nor cookies, other than by OGX (forward_headers names what it needs)")
	return true
}

// github writes a github_token.
func (im *importer) github(w *writer, _ value, o *object) bool {
	plain := false
	if base, there := o.get("github_api_base_url"); there {
		a, ok := im.address(base, true)
		if !ok {
			return false
		}
		plain = a.plain
		w.line("github_api_base_url", a.token)
	}
	im.mappingLines(w, o)
	if plain {
		w.line("allow_http")
	}
	return true
}

// kubernetes writes a kubernetes. That of April 2025 made other attributes of
// what it was told, and verified certificates only with a CA of its own.
func (im *importer) kubernetes(w *writer, v value, o *object) bool {
	plain := false
	if server, there := o.get("api_server_url"); there {
		a, ok := im.address(server, true)
		if !ok {
			return false
		}
		plain = a.plain
		w.line("api_server_url", a.token)
	} else {
		im.note(v, "has no api_server_url: that of the cluster in which the gateway runs is asked, and the pod's own CA is trusted")
	}
	w.line("service_accounts", "any")
	im.note(v, "lets in everybody whom the API server knows, as in OGX (service_accounts any): name those who are meant")
	if tenant, there := o.get("tenant_claim"); there {
		im.tenantClaim(w, tenant, true)
	}
	if _, there := o.get("claims_mapping"); im.age.first && !there {
		w.open("claims_mapping")
		w.line("username", "roles")
		w.line("groups", "teams")
		w.close()
	}
	im.mappingLines(w, o)
	t := im.transport(o)
	if im.age.first && len(t.lines) == 0 {
		im.note(v, "has no ca_cert_path: that Llama Stack verified no certificate then. Here it is verified")
	}
	t.write(w, plain)
	return true
}
